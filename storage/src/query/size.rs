//! How large a statement may be: planning follows operators by recursion, so that a long chain of them
//! would use up the stack, and with it the process.

use datafusion::sql::sqlparser::ast::{visit_relations, Statement};
use datafusion::sql::sqlparser::dialect::{dialect_from_str, GenericDialect};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use lakewright_proto::{Error, ErrorCode};

/// Bytes of a statement.
const MAX_SQL: usize = 1 << 20;
/// Operators of a statement: threads that plan have a stack for many times as many.
const MAX_OPERATORS: usize = 1_000;
/// Tables that a statement names.
const MAX_RELATIONS: usize = 200;

fn too_large(what: String) -> Error {
    Error::new(ErrorCode::InvalidArgument, what)
}

/// Refuses a statement of too many bytes or operators, by its tokens: nothing is built of it yet.
pub(super) fn check_text(sql: &str, dialect: &str) -> Result<(), Error> {
    if sql.len() > MAX_SQL {
        return Err(too_large(format!("the statement is {} bytes long; at most {MAX_SQL}", sql.len())));
    }
    // What cannot be cut into tokens is told by the parser, which does no more than that either.
    let dialect = dialect_from_str(dialect).unwrap_or_else(|| Box::new(GenericDialect {}));
    let Ok(tokens) = Tokenizer::new(dialect.as_ref(), sql).tokenize() else { return Ok(()) };
    let operators = tokens.iter().filter(|t| is_operator(t)).count();
    if operators > MAX_OPERATORS {
        let hint = "a list of values is shorter as `IN (...)`, as `VALUES` or as a table to join with";
        return Err(too_large(format!("the statement has {operators} operators; at most {MAX_OPERATORS}: {hint}")));
    }
    Ok(())
}

fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::XOR
                | Keyword::NOT
                | Keyword::IS
                | Keyword::IN
                | Keyword::BETWEEN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::SIMILAR
                | Keyword::RLIKE
                | Keyword::REGEXP
                | Keyword::COLLATE
                | Keyword::AT
                | Keyword::DIV
                | Keyword::UNION
                | Keyword::EXCEPT
                | Keyword::MINUS
                | Keyword::INTERSECT
                | Keyword::JOIN
        ),
        Token::Comma | Token::LParen | Token::RParen | Token::Period | Token::SemiColon | Token::EOF => false,
        Token::Whitespace(_) | Token::Number(..) | Token::Char(_) | Token::Placeholder(_) => false,
        Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) | Token::NationalStringLiteral(_) => false,
        Token::EscapedStringLiteral(_) | Token::UnicodeStringLiteral(_) | Token::HexStringLiteral(_) => false,
        Token::DollarQuotedString(_) | Token::SingleQuotedByteStringLiteral(_) | Token::DoubleQuotedByteStringLiteral(_) => false,
        _ => true,
    }
}

/// Refuses a statement that names too many tables: each is joined with all before it.
pub(super) fn check_relations(statement: &Statement) -> Result<(), Error> {
    let mut relations = 0;
    let _ = visit_relations(statement, |_| {
        relations += 1;
        std::ops::ControlFlow::<()>::Continue(())
    });
    if relations > MAX_RELATIONS {
        return Err(too_large(format!("the statement names {relations} tables; at most {MAX_RELATIONS}")));
    }
    Ok(())
}

#[cfg(test)]
#[path = "size_tests.rs"]
mod tests;

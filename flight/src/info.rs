//! What the server tells of itself: SQL info and its types. Drivers for JDBC and ODBC ask for all of it and take a missing
//! answer badly, so every code has one.

use std::collections::HashMap;

use arrow_flight::sql::metadata::{SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder};
use arrow_flight::sql::{
    Nullable, Searchable, SqlInfo, SqlNullOrdering, SqlSupportedCaseSensitivity, SqlSupportedTransaction, XdbcDataType,
};
use lakewright_proto::{Error, ErrorCode};

const TEXT: &[(SqlInfo, &str)] = &[
    (SqlInfo::FlightSqlServerName, "Lakewright"),
    (SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION")),
    (SqlInfo::FlightSqlServerArrowVersion, "1.3"),
    (SqlInfo::FlightSqlServerSubstraitMinVersion, ""),
    (SqlInfo::FlightSqlServerSubstraitMaxVersion, ""),
    (SqlInfo::SqlIdentifierQuoteChar, "\""),
    (SqlInfo::SqlSearchStringEscape, "\\"),
    (SqlInfo::SqlExtraNameCharacters, ""),
    (SqlInfo::SqlSchemaTerm, "schema"),
    (SqlInfo::SqlProcedureTerm, "procedure"),
    (SqlInfo::SqlCatalogTerm, "catalog"),
];

const YES: &[SqlInfo] = &[
    SqlInfo::FlightSqlServerReadOnly,
    SqlInfo::FlightSqlServerSql,
    SqlInfo::FlightSqlServerCancel,
    SqlInfo::SqlAllTablesAreSelectable,
    SqlInfo::SqlSupportsColumnAliasing,
    SqlInfo::SqlNullPlusNullIsNull,
    SqlInfo::SqlSupportsTableCorrelationNames,
    SqlInfo::SqlSupportsExpressionsInOrderBy,
    SqlInfo::SqlSupportsOrderByUnrelated,
    SqlInfo::SqlSupportsLikeEscapeClause,
    SqlInfo::SqlSupportsNonNullableColumns,
    SqlInfo::SqlCatalogAtStart,
    SqlInfo::SqlCorrelatedSubqueriesSupported,
    SqlInfo::SqlLocatorsUpdateCopy,
];

const NO: &[SqlInfo] = &[
    SqlInfo::FlightSqlServerSubstrait,
    SqlInfo::FlightSqlServerBulkIngestion,
    SqlInfo::FlightSqlServerIngestTransactionsSupported,
    SqlInfo::SqlDdlCatalog,
    SqlInfo::SqlDdlSchema,
    SqlInfo::SqlDdlTable,
    SqlInfo::SqlSupportsDifferentTableCorrelationNames,
    SqlInfo::SqlSupportsIntegrityEnhancementFacility,
    SqlInfo::SqlSelectForUpdateSupported,
    SqlInfo::SqlStoredProceduresSupported,
    SqlInfo::SqlMaxRowSizeIncludesBlobs,
    SqlInfo::SqlTransactionsSupported,
    SqlInfo::SqlDataDefinitionCausesTransactionCommit,
    SqlInfo::SqlDataDefinitionsInTransactionsIgnored,
    SqlInfo::SqlBatchUpdatesSupported,
    SqlInfo::SqlSavepointsSupported,
    SqlInfo::SqlNamedParametersSupported,
    SqlInfo::SqlStoredFunctionsUsingCallSyntaxSupported,
];

/// Bit sets and choices: the bits are of the enumeration that the code names.
const NUMBERS: &[(SqlInfo, i32)] = &[
    (SqlInfo::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32),
    (SqlInfo::FlightSqlServerStatementTimeout, 0),
    (SqlInfo::FlightSqlServerTransactionTimeout, 0),
    (SqlInfo::SqlIdentifierCase, SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32),
    (SqlInfo::SqlQuotedIdentifierCase, SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown as i32),
    (SqlInfo::SqlNullOrdering, SqlNullOrdering::SqlNullsSortedHigh as i32),
    (SqlInfo::SqlSupportedGroupBy, 0b11),
    (SqlInfo::SqlSupportedGrammar, 0b11),
    (SqlInfo::SqlAnsi92SupportedLevel, 0b1),
    (SqlInfo::SqlOuterJoinsSupportLevel, 0b110),
    (SqlInfo::SqlSchemasSupportedActions, 0),
    (SqlInfo::SqlCatalogsSupportedActions, 0),
    (SqlInfo::SqlSupportedPositionedCommands, 0),
    (SqlInfo::SqlSupportedSubqueries, 0b1111),
    (SqlInfo::SqlSupportedUnions, 0b11),
    (SqlInfo::SqlDefaultTransactionIsolation, 0),
    (SqlInfo::SqlSupportedTransactionsIsolationLevels, 0b1),
    (SqlInfo::SqlSupportedResultSetTypes, 0b10),
    (SqlInfo::SqlSupportedConcurrenciesForResultSetUnspecified, 0),
    (SqlInfo::SqlSupportedConcurrenciesForResultSetForwardOnly, 0b10),
    (SqlInfo::SqlSupportedConcurrenciesForResultSetScrollSensitive, 0),
    (SqlInfo::SqlSupportedConcurrenciesForResultSetScrollInsensitive, 0),
];

/// Limits; 0: there is none, or it is not known.
const LIMITS: &[(SqlInfo, i64)] = &[
    (SqlInfo::SqlMaxBinaryLiteralLength, 0),
    (SqlInfo::SqlMaxCharLiteralLength, 0),
    (SqlInfo::SqlMaxColumnNameLength, 63),
    (SqlInfo::SqlMaxColumnsInGroupBy, 0),
    (SqlInfo::SqlMaxColumnsInIndex, 0),
    (SqlInfo::SqlMaxColumnsInOrderBy, 0),
    (SqlInfo::SqlMaxColumnsInSelect, 0),
    (SqlInfo::SqlMaxColumnsInTable, 0),
    (SqlInfo::SqlMaxConnections, 0),
    (SqlInfo::SqlMaxCursorNameLength, 0),
    (SqlInfo::SqlMaxIndexLength, 0),
    (SqlInfo::SqlDbSchemaNameLength, 0),
    (SqlInfo::SqlMaxProcedureNameLength, 0),
    (SqlInfo::SqlMaxCatalogNameLength, 63),
    (SqlInfo::SqlMaxRowSize, 0),
    (SqlInfo::SqlMaxStatementLength, 1 << 20),
    (SqlInfo::SqlMaxStatements, 0),
    (SqlInfo::SqlMaxTableNameLength, 63),
    (SqlInfo::SqlMaxTablesInSelect, 0),
    (SqlInfo::SqlMaxUsernameLength, 0),
];

const LISTS: &[(SqlInfo, &[&str])] = &[
    (SqlInfo::SqlKeywords, &["EXCLUDE", "ILIKE", "QUALIFY", "REPLACE", "UNNEST"]),
    (
        SqlInfo::SqlNumericFunctions,
        &["ABS", "CEIL", "EXP", "FLOOR", "LN", "LOG", "LOG10", "MOD", "POWER", "RANDOM", "ROUND", "SIGN", "SQRT", "TRUNC"],
    ),
    (
        SqlInfo::SqlStringFunctions,
        &[
            "ASCII", "CHR", "CONCAT", "LEFT", "LENGTH", "LOWER", "LPAD", "LTRIM", "REPEAT", "REPLACE", "REVERSE", "RIGHT", "RPAD", "RTRIM",
            "SUBSTR", "TRIM", "UPPER",
        ],
    ),
    (SqlInfo::SqlSystemFunctions, &["COALESCE", "GREATEST", "LEAST", "NULLIF", "NVL"]),
    (
        SqlInfo::SqlDatetimeFunctions,
        &["CURRENT_DATE", "CURRENT_TIMESTAMP", "DATE_BIN", "DATE_PART", "DATE_TRUNC", "NOW", "TO_DATE", "TO_TIMESTAMP"],
    ),
];

/// SQL info.
pub(crate) fn sql_info() -> Result<SqlInfoData, Error> {
    let mut b = SqlInfoDataBuilder::new();
    TEXT.iter().for_each(|(code, v)| b.append(*code, *v));
    YES.iter().for_each(|code| b.append(*code, true));
    NO.iter().for_each(|code| b.append(*code, false));
    NUMBERS.iter().for_each(|(code, v)| b.append(*code, *v));
    LIMITS.iter().for_each(|(code, v)| b.append(*code, *v));
    LISTS.iter().for_each(|(code, v)| b.append(*code, *v));
    // CONVERT of JDBC: no pair of types; SQL's CAST has no such list.
    b.append(SqlInfo::SqlSupportsConvert, HashMap::<i32, Vec<i32>>::new());
    b.build().map_err(|e| Error::new(ErrorCode::Internal, format!("SQL info: {e}")))
}

/// Types that columns have.
pub(crate) fn types() -> Result<XdbcTypeInfoData, Error> {
    let mut b = XdbcTypeInfoDataBuilder::new();
    let all = [
        ("BOOLEAN", XdbcDataType::XdbcBit, 1, None),
        ("TINYINT", XdbcDataType::XdbcTinyint, 3, None),
        ("SMALLINT", XdbcDataType::XdbcSmallint, 5, None),
        ("INTEGER", XdbcDataType::XdbcInteger, 10, None),
        ("BIGINT", XdbcDataType::XdbcBigint, 19, None),
        ("REAL", XdbcDataType::XdbcReal, 7, None),
        ("DOUBLE", XdbcDataType::XdbcDouble, 15, None),
        ("DECIMAL", XdbcDataType::XdbcDecimal, 38, None),
        ("VARCHAR", XdbcDataType::XdbcVarchar, i32::MAX, Some("'")),
        ("VARBINARY", XdbcDataType::XdbcVarbinary, i32::MAX, Some("X'")),
        ("DATE", XdbcDataType::XdbcDate, 10, Some("DATE '")),
        ("TIME", XdbcDataType::XdbcTime, 15, Some("TIME '")),
        ("TIMESTAMP", XdbcDataType::XdbcTimestamp, 32, Some("TIMESTAMP '")),
    ];
    for (name, data_type, size, prefix) in all {
        b.append(XdbcTypeInfo {
            type_name: name.into(),
            data_type,
            column_size: Some(size),
            literal_prefix: prefix.map(str::to_owned),
            literal_suffix: prefix.map(|_| "'".to_owned()),
            create_params: (name == "DECIMAL").then(|| vec!["precision".to_owned(), "scale".to_owned()]),
            nullable: Nullable::NullabilityNullable,
            case_sensitive: name == "VARCHAR",
            searchable: Searchable::Full,
            unsigned_attribute: Some(false),
            sql_data_type: data_type,
            ..XdbcTypeInfo::default()
        });
    }
    b.build().map_err(|e| Error::new(ErrorCode::Internal, format!("type info: {e}")))
}

#[cfg(test)]
#[path = "info_tests.rs"]
mod tests;

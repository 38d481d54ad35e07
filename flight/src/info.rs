//! What the server tells of itself: SQL info and its types.

use arrow_flight::sql::metadata::{SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder};
use arrow_flight::sql::{Nullable, Searchable, SqlInfo, SqlSupportedTransaction, XdbcDataType};
use lakewright_proto::{Error, ErrorCode};

/// SQL info.
pub(crate) fn sql_info() -> Result<SqlInfoData, Error> {
    let mut b = SqlInfoDataBuilder::new();
    b.append(SqlInfo::FlightSqlServerName, "Lakewright");
    b.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    b.append(SqlInfo::FlightSqlServerArrowVersion, "1.3");
    b.append(SqlInfo::FlightSqlServerReadOnly, true);
    b.append(SqlInfo::FlightSqlServerSql, true);
    b.append(SqlInfo::FlightSqlServerSubstrait, false);
    b.append(SqlInfo::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    b.append(SqlInfo::FlightSqlServerCancel, true);
    b.append(SqlInfo::FlightSqlServerStatementTimeout, 0i32);
    b.append(SqlInfo::FlightSqlServerTransactionTimeout, 0i32);
    b.append(SqlInfo::SqlDdlCatalog, false);
    b.append(SqlInfo::SqlDdlSchema, false);
    b.append(SqlInfo::SqlDdlTable, false);
    b.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    b.append(SqlInfo::SqlSearchStringEscape, "\\");
    b.append(SqlInfo::SqlSchemaTerm, "schema");
    b.append(SqlInfo::SqlCatalogTerm, "catalog");
    b.build().map_err(|e| Error::new(ErrorCode::Internal, format!("SQL info: {e}")))
}

/// Types that columns have.
pub(crate) fn types() -> Result<XdbcTypeInfoData, Error> {
    let mut b = XdbcTypeInfoDataBuilder::new();
    let all = [
        ("BOOLEAN", XdbcDataType::XdbcBit, 1, None),
        ("BIGINT", XdbcDataType::XdbcBigint, 19, None),
        ("INTEGER", XdbcDataType::XdbcInteger, 10, None),
        ("DOUBLE", XdbcDataType::XdbcDouble, 15, None),
        ("DECIMAL", XdbcDataType::XdbcDecimal, 38, None),
        ("VARCHAR", XdbcDataType::XdbcVarchar, i32::MAX, Some("'")),
        ("VARBINARY", XdbcDataType::XdbcVarbinary, i32::MAX, Some("X'")),
        ("DATE", XdbcDataType::XdbcDate, 10, Some("DATE '")),
        ("TIMESTAMP", XdbcDataType::XdbcTimestamp, 32, Some("TIMESTAMP '")),
    ];
    for (name, data_type, size, prefix) in all {
        b.append(XdbcTypeInfo {
            type_name: name.into(),
            data_type,
            column_size: Some(size),
            literal_prefix: prefix.map(str::to_owned),
            literal_suffix: prefix.map(|_| "'".to_owned()),
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

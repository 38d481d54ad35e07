//! Files of other forms than JSON all the way to Silver, and made again from Bronze.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::*;
use crate::world::{World, SHOP};

const ROWS: &str = "select number, _version, total, tags from silver.purchase order by number";

async fn is_what_bronze_makes_of_it(w: &World) {
    let found = w.verified().await.comparison;
    assert_eq!((found.fault_count, found.faults), (0, Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parquet_rows_reach_silver_with_every_digit() {
    let w = World::new(SHOP).await;
    let connector = w.connect(json!({"stream": "orders"})).await;
    let file = |versions: Vec<i64>, totals: Vec<i128>, ops: Vec<Option<&str>>| -> Vec<u8> {
        let mut tags = ListBuilder::new(StringBuilder::new());
        for (i, _) in versions.iter().enumerate() {
            tags.append_value([Some(format!("t\"{i}")), None]);
        }
        let ids: StringArray = (0..versions.len()).map(|i| Some(format!("p{i}"))).collect();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(ids)),
            ("v", Arc::new(Int64Array::from(versions))),
            ("total", Arc::new(Decimal128Array::from(totals).with_precision_and_scale(38, 2).unwrap())),
            ("tags", Arc::new(tags.finish())),
            ("op", Arc::new(StringArray::from(ops))),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    };
    w.write("a.parquet", file(vec![1, 1, 1], vec![123_456_789, -7, 100], vec![None; 3]));
    let first = w.run(connector, "orders").await;
    assert_eq!((first.counts.read, first.counts.accepted), (3, 3));
    w.write("b.parquet", file(vec![2, 1, 3], vec![5, 6, 7], vec![None, None, Some("delete")]));
    w.run(connector, "orders").await;
    assert_eq!(w.lines(ROWS).await, ["p0|2|0.05|[t\"0, -]", "p1|1|0.06|[t\"1, -]"]);
    let raw = w.lines("select _payload_format, cast(payload as varchar) from bronze.files_orders where _offset = 0").await;
    assert_eq!(raw, ["parquet_json|{\"id\":\"p0\",\"v\":1,\"total\":1234567.89,\"tags\":[\"t\\\"0\",null],\"op\":null}"]);
    is_what_bronze_makes_of_it(&w).await;
    w.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn csv_reaches_silver_whatever_stands_between_its_cells() {
    for (delimiter, format) in
        [(",", "csv:[\"id\""), (";", "csv;:[\"id\""), ("\t", "csv\t:[\"id\""), (":", "csv::[\"id\""), ("[", "csv[:[\"id\"")]
    {
        let w = World::new(SHOP).await;
        let connector = w.connect(json!({"stream": "orders", "csv": {"delimiter": delimiter}})).await;
        let line = |cells: [&str; 5]| cells.join(delimiter) + "\r\n";
        let text = [
            line(["id", "v", "total", "op", "\"no,te\""]),
            line(["a", "1", "10.50", "", "plain"]),
            line([&format!("\"b{delimiter}1\""), "1", "7", "", "\"said \"\"hi\"\"\r\nand more\""]),
            line(["gone", "1", "1", "", ""]),
            line(["gone", "2", "", "delete", ""]),
            format!("short{delimiter}1\r\n"),
        ]
        .concat();
        w.write("a.csv", text);
        let run = w.run(connector, "orders").await;
        assert_eq!((run.counts.read, run.counts.accepted, run.counts.rejected), (5, 4, 1), "{delimiter:?}");
        let mut want = vec!["a|1|10.50|-".to_owned(), format!("b{delimiter}1|1|7.00|-")];
        want.sort();
        assert_eq!(w.lines(ROWS).await, want, "{delimiter:?}");
        let formats = w.lines("select distinct _payload_format from bronze.files_orders").await;
        assert!(formats.len() == 1 && formats[0].starts_with(format), "{formats:?}");
        let letters = w.lines("select reason, detail from system.dead_letters").await;
        assert_eq!(letters, ["parse|it has 2 cells and the header 5"], "{delimiter:?}");
        is_what_bronze_makes_of_it(&w).await;
        w.end().await;
    }
}

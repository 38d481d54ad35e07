//! Types as they come back, older files, and widened columns.

use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::*;
use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};

use super::fixture::Lake;

#[tokio::test]
async fn types_come_back_as_they_were_written() {
    let parts: Fields = vec![Field::new("city", DataType::Utf8, true), Field::new("zip", DataType::Int32, true)].into();
    let schema = Arc::new(Schema::new(vec![
        Field::new("money", DataType::Decimal128(38, 2), true),
        Field::new("day", DataType::Date32, true),
        Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Field::new("tags", DataType::List(Arc::new(Field::new("item", DataType::Int64, true))), true),
        Field::new("address", DataType::Struct(parts.clone()), true),
        Field::new("name", DataType::Utf8, true),
        Field::new("raw", DataType::Binary, true),
        Field::new("ok", DataType::Boolean, true),
    ]));
    let mut tags = ListBuilder::new(Int64Builder::new());
    tags.append_value([Some(1), None, Some(3)]);
    tags.append_null();
    let address = StructArray::new(
        parts,
        vec![Arc::new(StringArray::from(vec![Some("Ulm"), None])), Arc::new(Int32Array::from(vec![Some(89073), None]))],
        Some(vec![true, false].into()),
    );
    let batch = RecordBatch::try_new(
        schema.clone(),
        vec![
            Arc::new(
                Decimal128Array::from(vec![Some(123_456_789_012_345_678_901_234_567_890_123_456i128), None])
                    .with_precision_and_scale(38, 2)
                    .unwrap(),
            ),
            Arc::new(Date32Array::from(vec![Some(20_000), None])),
            Arc::new(TimestampMicrosecondArray::from(vec![Some(1_700_000_000_123_456), None]).with_timezone("UTC")),
            Arc::new(tags.finish()),
            Arc::new(address),
            Arc::new(StringArray::from(vec![Some("Zoë"), None])),
            Arc::new(BinaryArray::from(vec![Some(b"\x00\xff".as_slice()), None])),
            Arc::new(BooleanArray::from(vec![Some(true), None])),
        ],
    )
    .unwrap();
    let lake = Lake::new().await;
    let mut t = lake.tenant("acme", schema.clone()).await;
    assert_eq!(t.schema(), schema);
    lake.add(&mut t, &batch, 10, (0, 0)).await;
    let s = lake.engine.session(t.id, None).unwrap();
    let got = s.collect("SELECT * FROM opportunity").await.unwrap();
    assert_eq!(got[0], batch);
    let views = s.collect("SELECT arrow_cast(name, 'Utf8View') AS v, max(name) AS m FROM opportunity GROUP BY 1").await.unwrap();
    assert!(views[0].schema().fields().iter().all(|f| *f.data_type() == DataType::Utf8), "{:?}", views[0].schema());
}

#[tokio::test]
async fn a_column_that_older_files_lack_is_null_in_their_rows() {
    let old = Arc::new(Schema::new(vec![Field::new("id", DataType::Int32, false)]));
    let new = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("note", DataType::Utf8, false)]));
    let lake = Lake::new().await;
    let mut t = lake.tenant("acme", new.clone()).await;
    lake.add(&mut t, &RecordBatch::try_new(old, vec![Arc::new(Int32Array::from(vec![1, 2]))]).unwrap(), 10, (0, 0)).await;
    let newer = vec![Arc::new(Int64Array::from(vec![3])) as ArrayRef, Arc::new(StringArray::from(vec!["x"]))];
    lake.add(&mut t, &RecordBatch::try_new(new, newer).unwrap(), 10, (0, 0)).await;
    assert_eq!(super::ints(&lake, &t, "SELECT id FROM opportunity WHERE note IS NULL ORDER BY id").await, [1, 2]);
    assert_eq!(super::ints(&lake, &t, "SELECT sum(id) FROM opportunity").await, [6]);
    assert!(!t.connector().to_string().is_empty());
}

//! What merges and compactions of a bucket need to know.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use lakewright_proto::{ClusterId, FileId, ShardEpoch, TableId, TenantId};

use super::lookups::Lookups;
use crate::keyindex::BlockCache;
use crate::object::Store;
use crate::parquet::{Footer, Owner, Profile, Span};
use crate::paths::{Key, Month, SilverPart};

/// A bucket's surroundings.
#[derive(Clone)]
pub struct SilverContext {
    /// Objects.
    pub store: Store,
    /// Blocks of the key index.
    pub blocks: Arc<BlockCache>,
    /// The cluster, for footers.
    pub cluster: ClusterId,
    /// Its incarnation.
    pub incarnation: u64,
    /// The tenant.
    pub tenant: TenantId,
    /// The entity's name, part of each key.
    pub entity: String,
    /// The Silver table.
    pub table: TableId,
    /// Its name, which stands in paths.
    pub name: String,
    /// Its change table.
    pub changes: TableId,
    /// The bucket.
    pub bucket: u32,
    /// The owner's token.
    pub epoch: ShardEpoch,
    /// The pack version of the table's schema.
    pub pack: Option<String>,
    /// The table's schema.
    pub schema: SchemaRef,
    /// The change table's schema.
    pub changes_schema: SchemaRef,
    /// The source tells no versions: one is the number of a scan, and the same content in a later scan is no news.
    pub by_content: bool,
    /// What its rows look up in other tables.
    pub lookups: Option<Arc<Lookups>>,
    /// Microseconds since 1970.
    pub now_us: i64,
}

impl SilverContext {
    pub(super) fn key(&self, part: SilverPart, file: FileId) -> Key {
        Key::Silver { tenant: self.tenant, entity: self.name.clone(), part, file }
    }

    pub(super) fn rows_key(&self, partition_at: i64, file: FileId) -> Key {
        self.key(SilverPart::Rows(Month::of_micros(partition_at)), file)
    }

    pub(super) fn footer(&self, table: TableId, file: FileId, span: Span) -> Footer {
        Footer {
            cluster: self.cluster,
            incarnation: self.incarnation,
            tenant: self.tenant,
            table,
            file,
            owner: Owner::Bucket(self.bucket),
            epoch: self.epoch,
            span,
            previous: None,
            next: None,
            run: None,
            pack: self.pack.clone(),
        }
    }

    pub(super) fn rows_profile(&self) -> Profile {
        let raw = self.schema.fields().iter().filter(|f| f.metadata().contains_key("lakewright.payload"));
        Profile::Silver { time_column: "_partition_at".into(), raw: raw.map(|f| f.name().clone()).collect() }
    }
}

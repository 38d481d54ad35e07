//! Primary and foreign keys as packs tell them: for clients that draw relations, not enforced by anything.

use std::collections::HashMap;
use std::sync::Arc;

use lakewright_proto::{Layer, TenantId};
use parking_lot::Mutex;

use crate::catalog::keyspace::Packs;
use crate::catalog::{Catalog, Read};
use crate::error::Result;
use crate::pack::Pack;

/// Pack versions whose keys are kept.
const KEPT: usize = 64;

/// Columns that refer to another Silver table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// The table that refers.
    pub table: String,
    /// Its column.
    pub column: String,
    /// The table referred to.
    pub to_table: String,
    /// Its column.
    pub to_column: String,
}

/// The keys of a pack version's tables.
#[derive(Debug, Default)]
struct PackKeys {
    primary: HashMap<String, Vec<String>>,
    foreign: Vec<ForeignKey>,
}

/// Keys by pack version.
#[derive(Debug, Default)]
pub(super) struct KeyCache(Mutex<HashMap<String, Arc<PackKeys>>>);

impl KeyCache {
    fn of(&self, catalog: &Catalog, hash: &str) -> Result<Arc<PackKeys>> {
        if let Some(known) = self.0.lock().get(hash) {
            return Ok(Arc::clone(known));
        }
        let record = catalog.view().get::<Packs>(&hash.to_owned())?;
        let files: Vec<(String, Vec<u8>)> = record.into_iter().flat_map(|p| p.files).map(|f| (f.path, f.content)).collect();
        // A version that this program can no longer read has no keys to tell; whoever uses it says so.
        let keys = Arc::new(Pack::parse(&files).map(|p| keys(&p)).unwrap_or_default());
        let mut all = self.0.lock();
        if all.len() >= KEPT {
            all.clear();
        }
        all.insert(hash.to_owned(), Arc::clone(&keys));
        Ok(keys)
    }

    /// The primary key of a Silver table, and every foreign key of the tenant's packs.
    pub(super) fn primary(&self, catalog: &Catalog, tenant: TenantId, table: &str) -> Result<Vec<String>> {
        let found = catalog.view().table_by_name(tenant, Layer::Silver, table)?;
        let Some(hash) = found.and_then(|t| t.pack) else { return Ok(Vec::new()) };
        Ok(self.of(catalog, &hash)?.primary.get(table).cloned().unwrap_or_default())
    }

    /// Every foreign key between the tenant's Silver tables.
    pub(super) fn foreign(&self, catalog: &Catalog, tenant: TenantId) -> Result<Vec<ForeignKey>> {
        let tables: Vec<_> = catalog.view().tables(tenant)?.into_iter().filter(|t| t.layer == Layer::Silver).collect();
        let mut out = Vec::new();
        for table in &tables {
            let Some(hash) = &table.pack else { continue };
            let of_table = self.of(catalog, hash)?;
            let exists = |k: &&ForeignKey| k.table == table.name && tables.iter().any(|t| t.name == k.to_table);
            out.extend(of_table.foreign.iter().filter(exists).cloned());
        }
        Ok(out)
    }
}

fn keys(pack: &Pack) -> PackKeys {
    let primary = pack.entities().iter().map(|e| (e.table().to_owned(), e.primary_key())).collect();
    let of_entity = |e: &crate::pack::Entity| -> Vec<ForeignKey> {
        let refers = e.fields().iter().filter_map(|f| f.references.as_ref().map(|(t, c)| (f, t, c)));
        let key = |(f, t, c): (&crate::pack::FieldDef, &String, &String)| ForeignKey {
            table: e.table().to_owned(),
            column: f.name.clone(),
            to_table: t.clone(),
            to_column: c.clone(),
        };
        refers.map(key).collect()
    };
    PackKeys { primary, foreign: pack.entities().iter().flat_map(of_entity).collect() }
}

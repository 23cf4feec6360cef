//! A copy of the file, out of one read transaction: writers go on meanwhile.

use std::{fs, path::Path};

use redb::{Database, ReadableTable};

use super::{Bytes, State, definition, failure};
use crate::{StoreError, backup, key_value::Table};

/// Bytes that are written in one transaction.
const BATCH: usize = 8 << 20;

/// Copies every entry into a new file, which gets its name when it is whole.
pub(super) fn back_up(from: &State<'_>, to: &Path) -> Result<(), StoreError> {
    let mut draft = to.as_os_str().to_owned();
    draft.push(".tmp");
    let draft = Path::new(&draft);
    // Of a process that died meanwhile.
    let _ = fs::remove_file(draft);
    let written = write(from, draft).and_then(|()| {
        fs::rename(draft, to).map_err(|error| backup::unusable(to, error))?;
        backup::sync_parent(to)
    });
    written.inspect_err(|_| _ = fs::remove_file(draft))
}

fn write(from: &State<'_>, draft: &Path) -> Result<(), StoreError> {
    let failed = |error: redb::Error| failure(error).during(backup::OPERATION, None);
    let db = Database::create(draft).map_err(|error| failed(error.into()))?;
    for table in Table::ALL {
        let entries = from.table(table)?.iter().map_err(|error| failed(error.into()))?;
        write_table(&db, table, entries).map_err(failed)?;
    }
    Ok(())
}

fn write_table(
    db: &Database,
    table: Table,
    mut entries: redb::Range<'_, Bytes, Bytes>,
) -> Result<(), redb::Error> {
    loop {
        let transaction = db.begin_write()?;
        let mut bytes = 0;
        {
            let mut to = transaction.open_table(definition(table))?;
            for entry in entries.by_ref() {
                let (key, value) = entry?;
                to.insert(key.value(), value.value())?;
                bytes += key.value().len() + value.value().len();
                if bytes >= BATCH {
                    break;
                }
            }
        }
        transaction.commit()?;
        if bytes < BATCH {
            return Ok(());
        }
    }
}

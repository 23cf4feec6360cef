//! Reads the last 100,000 rows of a larger result from `SQLite`, redb and fjall. These have one row for each key,
//! which is JSON already. So they only find and copy rows, and add commas.

use anyhow::{Context, Result, ensure};
use job_core::PageRequest;
use redb::{ReadableDatabase, TableDefinition};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{Bench, open, reader};
use crate::{
    measure::{interleave, warm},
    report::{Goal, Row, Unit},
    stored,
    vertices::vertices,
};

const PAGE: u32 = 100_000;

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let pool = vertices(PAGE as usize);
    let total = bench.size(1_000_000, 200_000);
    let json: Vec<String> = pool.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    let rows = || json.iter().cycle().take(total).map(String::as_str);
    let directory = bench.directory()?;
    let store = open(directory.path())?;
    let reader = reader(&store);
    let job = stored::finished(&*store, &pool, total)?;
    let sqlite = Sqlite::create(bench.directory()?, rows())?;
    let redb = Redb::create(bench.directory()?, rows())?;
    let fjall = Fjall::create(bench.directory()?, rows())?;

    let offset = total as u64 - u64::from(PAGE);
    let page = PageRequest::new(offset, PAGE)?;
    let mut out = Vec::new();
    stored::status(&reader, job, page, &mut out)?;
    let expected = out.clone();
    let head = expected.iter().position(|&byte| byte == b'[').context("the list")? + 1;
    let tail = br#"]}},"status":"complete"}"#;
    let mut check = |fill: &mut dyn FnMut(&mut Vec<u8>) -> Result<()>| {
        out.clear();
        out.extend_from_slice(expected.get(..head).unwrap_or_default());
        fill(&mut out)?;
        out.extend_from_slice(tail);
        ensure!(out == expected, "every store must give the same bytes");
        Ok(())
    };
    check(&mut |out| sqlite.keyset(offset, out))?;
    check(&mut |out| sqlite.offset(offset, out))?;
    check(&mut |out| redb.page(offset, out))?;
    check(&mut |out| fjall.page(offset, out))?;

    let mut buffer = Vec::new();
    let mut filled = |fill: &mut dyn FnMut(&mut Vec<u8>) -> Result<()>| {
        warm(|| {
            buffer.clear();
            fill(&mut buffer)
        })
    };
    let filled = std::cell::RefCell::new(&mut filled);
    let run = |fill: &mut dyn FnMut(&mut Vec<u8>) -> Result<()>| (filled.borrow_mut())(fill);
    let [ours, keyset, by_offset, redb, fjall] = interleave(
        bench.size(9, 3),
        [
            &mut || run(&mut |out| stored::status(&reader, job, page, out)),
            &mut || run(&mut |out| sqlite.keyset(offset, out)),
            &mut || run(&mut |out| sqlite.offset(offset, out)),
            &mut || run(&mut |out| redb.page(offset, out)),
            &mut || run(&mut |out| fjall.page(offset, out)),
        ],
    )?;
    let what = format!("last 100,000 of {} rows", thousands(total));
    let against = |name: &str, theirs| {
        Row::new(format!("{what} / {name}"), "warm read", Unit::Seconds, ours.clone())
            .beside(name, theirs)
            .goal(Goal::SpeedupAtLeast(1.0))
    };
    Ok(vec![
        against("SQLite, keyset", keyset),
        against("SQLite, OFFSET", by_offset),
        against("redb", redb),
        against("fjall", fjall),
    ])
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn push(out: &mut Vec<u8>, first: &mut bool, row: &[u8]) {
    if !std::mem::take(first) {
        out.push(b',');
    }
    out.extend_from_slice(row);
}

struct Sqlite {
    file: Connection,
    _directory: TempDir,
}

impl Sqlite {
    fn create<'a>(directory: TempDir, rows: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut file = Connection::open(directory.path().join("rows.db"))?;
        file.execute_batch(
            "pragma journal_mode = wal; pragma synchronous = normal; pragma cache_size = -262144; pragma mmap_size = 1073741824;
             create table rows (row integer primary key, json text not null);",
        )?;
        let transaction = file.transaction()?;
        let mut insert = transaction.prepare("insert into rows values (?1, ?2)")?;
        for (row, json) in rows.enumerate() {
            insert.execute((i64::try_from(row)?, json))?;
        }
        drop(insert);
        transaction.commit()?;
        Ok(Self { file, _directory: directory })
    }

    fn keyset(&self, from: u64, out: &mut Vec<u8>) -> Result<()> {
        self.query("select json from rows where row >= ?1 order by row limit ?2", from, out)
    }

    fn offset(&self, offset: u64, out: &mut Vec<u8>) -> Result<()> {
        self.query("select json from rows order by row limit ?2 offset ?1", offset, out)
    }

    fn query(&self, sql: &str, from: u64, out: &mut Vec<u8>) -> Result<()> {
        let mut query = self.file.prepare_cached(sql)?;
        let mut rows = query.query((i64::try_from(from)?, PAGE))?;
        let mut first = true;
        while let Some(row) = rows.next()? {
            push(out, &mut first, row.get_ref(0)?.as_bytes()?);
        }
        Ok(())
    }
}

const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");

struct Redb {
    db: redb::Database,
    _directory: TempDir,
}

impl Redb {
    fn create<'a>(directory: TempDir, rows: impl Iterator<Item = &'a str>) -> Result<Self> {
        let db = redb::Database::builder().set_cache_size(1 << 30).create(directory.path().join("rows.redb"))?;
        let transaction = db.begin_write()?;
        {
            let mut table = transaction.open_table(ROWS)?;
            for (row, json) in rows.enumerate() {
                table.insert(row as u64, json.as_bytes())?;
            }
        }
        transaction.commit()?;
        Ok(Self { db, _directory: directory })
    }

    fn page(&self, from: u64, out: &mut Vec<u8>) -> Result<()> {
        let transaction = self.db.begin_read()?;
        let table = transaction.open_table(ROWS)?;
        let mut first = true;
        for entry in table.range(from..from + u64::from(PAGE))? {
            push(out, &mut first, entry?.1.value());
        }
        Ok(())
    }
}

struct Fjall {
    rows: fjall::Keyspace,
    _db: fjall::Database,
    _directory: TempDir,
}

impl Fjall {
    fn create<'a>(directory: TempDir, rows: impl Iterator<Item = &'a str>) -> Result<Self> {
        let db = fjall::Database::builder(directory.path()).cache_size(1 << 30).open()?;
        let keyspace = db.keyspace("rows", fjall::KeyspaceCreateOptions::default)?;
        let mut ingestion = keyspace.start_ingestion()?;
        for (row, json) in rows.enumerate() {
            ingestion.write((row as u64).to_be_bytes(), json)?;
        }
        ingestion.finish()?;
        Ok(Self { rows: keyspace, _db: db, _directory: directory })
    }

    fn page(&self, from: u64, out: &mut Vec<u8>) -> Result<()> {
        let range = from.to_be_bytes()..(from + u64::from(PAGE)).to_be_bytes();
        let mut first = true;
        for entry in self.rows.range(range) {
            push(out, &mut first, &entry.value()?);
        }
        Ok(())
    }
}

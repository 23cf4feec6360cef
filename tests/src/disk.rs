//! [`Disk`]: which bytes and names are synced, and which of the others a power cut leaves.
//!
//! A sync of a file brings its bytes and length to the disk. It also brings the name of a new file, as the file
//! systems of Linux do and RocksDB relies on. A sync of a directory brings all names in it. Of everything else any
//! part may be there, in any order. A file may be longer than the bytes that were written of it, and then reads as
//! zeros.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
};

use crate::trace::{Call, Fd, Thread, parent};

/// The unit that a disk writes whole, and the unit of a file system.
const SECTOR: usize = 512;
const PAGE: usize = 4_096;

type Inode = usize;

/// The files below one directory.
#[derive(Debug, Clone)]
pub struct Disk {
    root: PathBuf,
    files: Vec<File>,
    open: HashMap<Fd, Open>,
    /// The names that the process sees.
    names: BTreeMap<PathBuf, Inode>,
    /// The synced names.
    durable: BTreeMap<PathBuf, Inode>,
    /// Unsynced changes of names, each with its place in the order of all changes.
    pending: Vec<(usize, NameChange)>,
    renamed: usize,
    syncs: HashMap<Thread, Sync>,
}

#[derive(Debug, Clone, Default)]
struct File {
    length: usize,
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// How many changes are synced. Overlapping syncs count from their beginning.
    synced: usize,
}

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Debug, Clone)]
enum NameChange {
    Add(PathBuf, Inode),
    Remove(PathBuf),
    Move(PathBuf, PathBuf, Inode),
}

#[derive(Debug, Clone)]
enum Open {
    File { inode: Inode, position: usize, append: bool },
    Directory(PathBuf),
}

#[derive(Debug, Clone)]
enum Sync {
    File(Inode, usize),
    Directory(PathBuf, usize),
}

/// The part of the writes to one file that a cut leaves.
#[derive(Debug, Clone, Copy)]
enum Left {
    Nothing,
    Everything,
    /// The first writes of the file, the last of which is torn.
    First,
    /// The full length of the write, with its sectors up to a random one.
    LengthAndFirst,
    /// The full length, and any of the pages.
    LengthAndAny,
}

impl Disk {
    /// An empty directory.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            files: Vec::new(),
            open: HashMap::new(),
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
            pending: Vec::new(),
            renamed: 0,
            syncs: HashMap::new(),
        }
    }

    /// A directory whose files are all synced.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn of(root: &Path) -> io::Result<Self> {
        let mut disk = Self::new(root);
        let mut directories = vec![root.to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory)? {
                let path = entry?.path();
                if path.is_dir() {
                    directories.push(path);
                    continue;
                }
                let durable = fs::read(&path)?;
                disk.names.insert(path, disk.files.len());
                disk.files.push(File { length: durable.len(), durable, ..File::default() });
            }
        }
        disk.durable.clone_from(&disk.names);
        Ok(disk)
    }

    /// Whether the call changed anything of these files.
    pub fn apply(&mut self, call: &Call) -> bool {
        match call {
            Call::Open { path, fd, create, truncate, append } => {
                return self.open(path, *fd, *create, *truncate, *append);
            }
            Call::Close { fd } => return self.open.remove(fd).is_some(),
            Call::Write { fd, at, bytes, .. } => return self.write(*fd, *at, bytes),
            Call::Seek { fd, position: to } => match self.open.get_mut(fd) {
                Some(Open::File { position, .. }) => *position = index(*to),
                _ => return false,
            },
            Call::SetLength { fd, length } => match self.open.get(fd) {
                Some(&Open::File { inode, .. }) => self.files[inode].change(Change::Length(index(*length))),
                _ => return false,
            },
            Call::SyncBegins { thread, fd } => return self.sync_begins(*thread, *fd),
            Call::SyncEnds { thread } => return self.sync_ends(*thread),
            Call::Rename { from, to } => {
                let Some(inode) = self.names.remove(from) else { return false };
                self.names.insert(to.clone(), inode);
                self.rename(NameChange::Move(from.clone(), to.clone(), inode));
            }
            Call::Link { from, to } => {
                let Some(&inode) = self.names.get(from) else { return false };
                self.add(to, inode);
            }
            Call::Unlink { path } => {
                if self.names.remove(path).is_none() {
                    return false;
                }
                self.rename(NameChange::Remove(path.clone()));
            }
            // A directory is made with its first file.
            Call::MakeDirectory { .. } | Call::RemoveDirectory { .. } => return false,
        }
        true
    }

    fn add(&mut self, path: &Path, inode: Inode) {
        self.names.insert(path.to_owned(), inode);
        self.rename(NameChange::Add(path.to_owned(), inode));
    }

    fn rename(&mut self, change: NameChange) {
        self.pending.push((self.renamed, change));
        self.renamed += 1;
    }

    fn open(&mut self, path: &Path, fd: Fd, create: bool, truncate: bool, append: bool) -> bool {
        if !path.starts_with(&self.root) {
            return false;
        }
        let inode = match self.names.get(path) {
            Some(&inode) => inode,
            None if create => {
                self.files.push(File::default());
                self.add(path, self.files.len() - 1);
                self.files.len() - 1
            }
            None => {
                self.open.insert(fd, Open::Directory(path.to_owned()));
                return false;
            }
        };
        if truncate && self.files[inode].length > 0 {
            self.files[inode].change(Change::Length(0));
        }
        self.open.insert(fd, Open::File { inode, position: 0, append });
        true
    }

    fn write(&mut self, fd: Fd, at: Option<u64>, bytes: &[u8]) -> bool {
        let Some(Open::File { inode, position, append }) = self.open.get_mut(&fd) else { return false };
        let file = &mut self.files[*inode];
        let start = match at {
            Some(at) => index(at),
            None if *append => file.length,
            None => *position,
        };
        if at.is_none() {
            *position = start + bytes.len();
        }
        file.change(Change::Write { at: start, bytes: bytes.to_vec() });
        true
    }

    fn sync_begins(&mut self, thread: Thread, fd: Fd) -> bool {
        let sync = match self.open.get(&fd) {
            Some(&Open::File { inode, .. }) => {
                Sync::File(inode, self.files[inode].synced + self.files[inode].pending.len())
            }
            Some(Open::Directory(path)) => Sync::Directory(path.clone(), self.renamed),
            None => return false,
        };
        self.syncs.insert(thread, sync);
        true
    }

    fn sync_ends(&mut self, thread: Thread) -> bool {
        match self.syncs.remove(&thread) {
            Some(Sync::File(inode, until)) => {
                self.files[inode].sync(until);
                let synced = self.names_of(inode);
                self.sync_names(|number, _| synced.contains(&number));
            }
            Some(Sync::Directory(directory, until)) => {
                self.sync_names(|number, change| number < until && change.directory() == directory);
            }
            None => return false,
        }
        true
    }

    /// The changes that name this file, with the earlier ones of the same names. So a name that was removed and made again
    /// is not removed later.
    fn names_of(&self, inode: Inode) -> HashSet<usize> {
        let (mut changes, mut paths) = (HashSet::new(), HashSet::new());
        for (number, change) in self.pending.iter().rev() {
            let adds = matches!(change, NameChange::Add(_, added) if *added == inode);
            if adds || change.paths().any(|path| paths.contains(path)) {
                changes.insert(*number);
                paths.extend(change.paths());
            }
        }
        changes
    }

    fn sync_names(&mut self, synced: impl Fn(usize, &NameChange) -> bool) {
        self.pending.retain(|(number, change)| {
            let synced = synced(*number, change);
            if synced {
                change.apply(&mut self.durable);
            }
            !synced
        });
    }

    /// Writes a state after a power cut at this moment into an empty directory. `chance` chooses the state.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn cut(&self, into: &Path, chance: &mut fastrand::Rng) -> io::Result<String> {
        let mut names = self.durable.clone();
        // A journal keeps the order of changes of names. Without one, any of them may be lost.
        let (ordered, first) = (chance.bool(), chance.u64(..=self.pending.len() as u64));
        for (at, (_, change)) in self.pending.iter().enumerate() {
            if if ordered { (at as u64) < first } else { chance.bool() } {
                change.apply(&mut names);
            }
        }
        let mut story = vec![format!("{} names on their way, in order: {ordered}", self.pending.len())];
        for (path, inode) in &names {
            let file = &self.files[*inode];
            let left = Left::any(chance);
            let to = into.join(path.strip_prefix(&self.root).unwrap_or(path));
            fs::create_dir_all(parent(&to))?;
            fs::write(to, file.cut(left, chance))?;
            if !file.pending.is_empty() {
                story.push(format!("{}: {left:?} of {} writes", path.display(), file.pending.len()));
            }
        }
        Ok(story.join("; "))
    }
}

impl NameChange {
    fn directory(&self) -> PathBuf {
        match self {
            Self::Add(path, _) | Self::Remove(path) | Self::Move(_, path, _) => parent(path),
        }
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        let (first, second) = match self {
            Self::Add(path, _) | Self::Remove(path) => (path, None),
            Self::Move(from, to, _) => (from, Some(to)),
        };
        [Some(first), second].into_iter().flatten().map(PathBuf::as_path)
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Inode>) {
        match self {
            Self::Add(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            Self::Remove(path) => {
                names.remove(path);
            }
            Self::Move(from, to, inode) => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
        }
    }
}

impl Left {
    fn any(chance: &mut fastrand::Rng) -> Self {
        match chance.u64(..5) {
            0 => Self::Nothing,
            1 => Self::Everything,
            2 => Self::First,
            3 => Self::LengthAndFirst,
            _ => Self::LengthAndAny,
        }
    }
}

impl File {
    fn change(&mut self, change: Change) {
        match &change {
            Change::Write { at, bytes } => self.length = self.length.max(at + bytes.len()),
            Change::Length(length) => self.length = *length,
        }
        self.pending.push(change);
    }

    fn sync(&mut self, until: usize) {
        let count = until.saturating_sub(self.synced).min(self.pending.len());
        for change in self.pending.drain(..count) {
            change.apply(&mut self.durable);
        }
        self.synced += count;
    }

    fn cut(&self, left: Left, chance: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let apply =
            |bytes: &mut Vec<u8>, changes: &[Change]| changes.iter().for_each(|change| change.apply(bytes));
        match left {
            Left::Nothing => {}
            Left::Everything => apply(&mut bytes, &self.pending),
            Left::First => {
                let count = chance.usize(..=self.pending.len());
                let (whole, rest) = self.pending.split_at(count);
                apply(&mut bytes, whole);
                if let Some(Change::Write { at, bytes: torn }) = rest.first() {
                    let part = chance.usize(..=torn.len());
                    Change::Write { at: *at, bytes: torn[..part].to_vec() }.apply(&mut bytes);
                }
            }
            Left::LengthAndFirst => {
                apply(&mut bytes, &self.pending);
                let sectors = bytes.len().div_ceil(SECTOR) as u64;
                let first = index(chance.u64(..=sectors)) * SECTOR;
                self.take_back(&mut bytes, first..usize::MAX, chance);
            }
            Left::LengthAndAny => {
                apply(&mut bytes, &self.pending);
                for start in (0..bytes.len()).step_by(PAGE) {
                    if chance.bool() {
                        self.take_back(&mut bytes, start..start + PAGE, chance);
                    }
                }
            }
        }
        bytes
    }

    /// Sets a part of the file to an earlier state since its last sync, with zeros where it had no bytes.
    fn take_back(&self, bytes: &mut [u8], part: Range<usize>, chance: &mut fastrand::Rng) {
        let mut older = self.durable.clone();
        let written = chance.usize(..=self.pending.len());
        // In half of the cases no write since the sync is kept.
        for change in self.pending.iter().take(if chance.bool() { 0 } else { written }) {
            change.apply(&mut older);
        }
        let part = part.start.min(bytes.len())..part.end.min(bytes.len());
        older.resize(bytes.len(), 0);
        bytes[part.clone()].copy_from_slice(&older[part]);
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes: written } => {
                let end = at + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*at..end].copy_from_slice(written);
            }
            Self::Length(length) => bytes.resize(*length, 0),
        }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("a size of this machine")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "/d/a";

    fn disk(calls: &[Call]) -> Disk {
        let mut disk = Disk::new(Path::new("/d"));
        for call in calls {
            disk.apply(call);
        }
        disk
    }

    /// The calls that make a file with one byte, and sync it.
    fn made(byte: u8) -> [Call; 5] {
        [
            Call::Open { path: FILE.into(), fd: 3, create: true, truncate: true, append: false },
            Call::Write { thread: 1, fd: 3, at: None, bytes: vec![byte] },
            Call::SyncBegins { thread: 1, fd: 3 },
            Call::SyncEnds { thread: 1 },
            Call::Close { fd: 3 },
        ]
    }

    fn directory_synced() -> [Call; 3] {
        [
            Call::Open { path: "/d".into(), fd: 4, create: false, truncate: false, append: false },
            Call::SyncBegins { thread: 1, fd: 4 },
            Call::SyncEnds { thread: 1 },
        ]
    }

    /// The synced bytes of the file.
    fn synced(disk: &Disk) -> Option<&[u8]> {
        disk.durable.get(Path::new(FILE)).map(|&inode| disk.files[inode].durable.as_slice())
    }

    #[test]
    fn a_synced_file_keeps_its_name_although_an_older_file_of_that_name_was_removed() {
        let removed = Call::Unlink { path: FILE.into() };
        let calls = [made(1).to_vec(), vec![removed], made(2).to_vec()].concat();
        assert_eq!(synced(&disk(&calls)), Some([2].as_slice()));
        let calls = [calls, directory_synced().to_vec()].concat();
        assert_eq!(synced(&disk(&calls)), Some([2].as_slice()));
    }

    #[test]
    fn a_synced_file_keeps_its_name_although_an_older_file_of_that_name_was_moved_away() {
        let moved = Call::Rename { from: FILE.into(), to: "/d/old".into() };
        let calls = [made(1).to_vec(), vec![moved], made(2).to_vec(), directory_synced().to_vec()].concat();
        let disk = disk(&calls);
        assert_eq!(synced(&disk), Some([2].as_slice()));
        assert!(disk.durable.contains_key(Path::new("/d/old")));
    }

    #[test]
    fn a_removal_that_was_not_synced_may_be_lost() {
        let removed = Call::Unlink { path: FILE.into() };
        let calls = [made(1).to_vec(), vec![removed]].concat();
        assert_eq!(synced(&disk(&calls)), Some([1].as_slice()));
        assert_eq!(synced(&disk(&[calls, directory_synced().to_vec()].concat())), None);
    }
}

//! Watches the files of the live scripts and sends what was saved, once it is quiet. It decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use crate::policy::script::{Origin, Source};
use crate::policy::{Fault, Slot};
use crate::train::clock::Stopwatch;

/// A save is over when nothing has happened for this long.
const QUIET: Duration = Duration::from_millis(120);
/// A folder that never becomes quiet is looked at nevertheless after this long.
const PATIENCE: Duration = Duration::from_secs(2);
/// Without any event the files are looked at this often: events can get lost, and a replaced folder sends none.
const SWEEP: Duration = Duration::from_secs(2);
/// The same on file systems that send no events for what another machine writes.
const SWEEP_NETWORK: Duration = Duration::from_millis(250);

/// A script whose content is no longer the one last reported.
#[derive(Debug)]
pub struct Seen {
    /// The slot that the script fills.
    pub slot: Slot,
    /// Its texts, read once, or why they cannot be read.
    pub source: Result<Source, Fault>,
}

enum Message {
    Follow(Slot, Origin, String),
    Wake,
}

/// The watching thread. It ends when this is dropped.
pub struct Watch {
    messages: Sender<Message>,
    seen: Receiver<Seen>,
}

impl Watch {
    /// Starts the thread; it watches nothing yet.
    pub fn start() -> Self {
        let (messages, inbox) = channel();
        let (outbox, seen) = channel();
        let wake = messages.clone();
        thread::Builder::new()
            .name("watch".into())
            .spawn(move || Thread::new(outbox, wake).run(&inbox))
            .map_or_else(
                |error| tracing::warn!("scripts are not watched: {error}"),
                drop,
            );
        Self { messages, seen }
    }

    /// Watches the script at `origin`, whose content `hash` is already live, for a slot.
    pub fn follow(&self, slot: Slot, origin: &Origin, hash: &str) {
        // A thread that could not start has said so already.
        let _ = self
            .messages
            .send(Message::Follow(slot, origin.clone(), hash.to_owned()));
    }

    /// What was saved since the last call; never waits.
    pub fn seen(&self) -> Vec<Seen> {
        let mut all = Vec::new();
        loop {
            match self.seen.try_recv() {
                Ok(seen) => all.push(seen),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return all,
            }
        }
    }
}

struct Followed {
    origin: Origin,
    /// The hash last reported, or "" for a script that could not be read.
    reported: String,
    /// Whether the file was found empty once: many editors truncate before they write.
    empty: bool,
}

struct Thread {
    outbox: Sender<Seen>,
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    followed: BTreeMap<Slot, Followed>,
    sweep: Duration,
}

impl Thread {
    fn new(outbox: Sender<Seen>, wake: Sender<Message>) -> Self {
        // Which file an event names is not asked: editors rename, link and recreate, and only the content counts.
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                let _ = wake.send(Message::Wake);
            }
        });
        let watcher = watcher
            .map_err(|error| tracing::warn!("no file events, files are polled: {error}"))
            .ok();
        Self {
            outbox,
            watcher,
            folders: BTreeSet::new(),
            followed: BTreeMap::new(),
            sweep: SWEEP,
        }
    }

    fn run(mut self, inbox: &Receiver<Message>) {
        let mut dirty: Option<Stopwatch> = None;
        loop {
            let wait = if dirty.is_some() { QUIET } else { self.sweep };
            match inbox.recv_timeout(wait) {
                Ok(Message::Follow(slot, origin, hash)) => self.follow(slot, origin, hash),
                Ok(Message::Wake) => {
                    let since = *dirty.get_or_insert_with(Stopwatch::start);
                    if since.elapsed() > PATIENCE {
                        dirty = None;
                        self.look();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    dirty = None;
                    self.look();
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn follow(&mut self, slot: Slot, origin: Origin, hash: String) {
        self.followed.insert(
            slot,
            Followed {
                origin,
                reported: hash,
                empty: false,
            },
        );
        self.look();
    }

    /// Reads every followed script and reports those whose content has changed.
    fn look(&mut self) {
        let mut files = Vec::new();
        for (slot, followed) in &mut self.followed {
            let source = Source::read(*slot, &followed.origin);
            if let Origin::File(path) = &followed.origin {
                files.push(path.clone());
            }
            let hash = match &source {
                Ok(source) => {
                    files.extend(source.files());
                    if source.main().text.trim().is_empty()
                        && !std::mem::replace(&mut followed.empty, true)
                    {
                        continue;
                    }
                    source.hash()
                }
                Err(_) => String::new(),
            };
            followed.empty = false;
            if hash != followed.reported {
                followed.reported = hash;
                let _ = self.outbox.send(Seen {
                    slot: *slot,
                    source,
                });
            }
        }
        self.watch_folders(&files);
    }

    /// Watches the folders of the files, never the files: after one save by rename a watched file is deaf for ever.
    fn watch_folders(&mut self, files: &[PathBuf]) {
        // The parent of a bare name is the working directory, which an empty path does not name.
        let folder = |file: &PathBuf| Some(Path::new(".").join(file).parent()?.to_path_buf());
        let wanted: BTreeSet<PathBuf> = files.iter().filter_map(folder).collect();
        for folder in wanted.difference(&self.folders) {
            if on_network(folder) {
                self.sweep = SWEEP_NETWORK;
            }
            if let Some(Err(error)) = self
                .watcher
                .as_mut()
                .map(|w| w.watch(folder, RecursiveMode::NonRecursive))
            {
                tracing::warn!("'{}' is polled, not watched: {error}", folder.display());
            }
        }
        for folder in self.folders.difference(&wanted) {
            // A folder that is gone was unwatched by the system.
            let _ = self.watcher.as_mut().map(|w| w.unwatch(folder));
        }
        self.folders = wanted;
    }
}

/// Whether a folder lies on a file system of another machine, by the longest mount point above it.
fn on_network(folder: &Path) -> bool {
    let (Ok(folder), Ok(mounts)) = (
        folder.canonicalize(),
        std::fs::read_to_string("/proc/mounts"),
    ) else {
        return false;
    };
    let mounted = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let nearest = mounted
        .filter(|(point, _)| folder.starts_with(point))
        .max_by_key(|(point, _)| point.len());
    nearest.is_some_and(|(_, kind)| {
        ["nfs", "cifs", "smb", "9p", "fuse", "ceph", "lustre", "afs"]
            .iter()
            .any(|remote| kind.starts_with(remote))
    })
}

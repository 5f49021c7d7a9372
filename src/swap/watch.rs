//! Watches the files of the policies and sends what was saved, once it is quiet. It decides nothing.
//!
//! A script is only read here. A library is also tried in a process of its own, which takes longer than a step: this thread has
//! the time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use crate::ground::clock::Stopwatch;
use crate::policy::plugin::Staging;
use crate::policy::{Content, Params, PolicyFile};
use crate::slots::{Fault, Kind, Slot};

/// A save is over when nothing has happened for this long.
const QUIET: Duration = Duration::from_millis(120);
/// A folder that never becomes quiet is looked at nevertheless after this long.
const PATIENCE: Duration = Duration::from_secs(2);
/// Without any event the files are looked at this often: events can get lost, and a replaced folder sends none.
const SWEEP: Duration = Duration::from_secs(2);
/// The same on file systems that send no events for what another machine writes.
const SWEEP_NETWORK: Duration = Duration::from_millis(250);

/// A policy whose content is no longer the one last reported.
#[derive(Debug)]
pub struct Seen {
    /// The slot that it fills.
    pub slot: Slot,
    /// Its file, as it was given to [`Watch::follow`].
    pub file: PolicyFile,
    /// The hash of the content, or "" where it cannot be read.
    pub hash: String,
    /// The content, read once, or why it cannot be used.
    pub content: Result<Content, Fault>,
}

/// What to watch.
struct Follow {
    slot: Slot,
    file: PolicyFile,
    /// The hash of the content that need not be reported.
    hash: String,
    /// The parameters with which a library is tried.
    params: Params,
}

enum Message {
    Follow(Follow),
    Wake,
}

/// The watching thread. It ends when this is dropped.
pub struct Watch {
    messages: Sender<Message>,
    seen: Receiver<Seen>,
}

impl Watch {
    /// Starts the thread; it watches nothing yet. Libraries are copied and tried as `staging` says.
    pub fn start(staging: Staging) -> Self {
        let (messages, inbox) = channel();
        let (outbox, seen) = channel();
        let wake = messages.clone();
        thread::Builder::new()
            .name("watch".into())
            .spawn(move || Thread::new(outbox, wake, staging).run(&inbox))
            .map_or_else(
                |error| tracing::warn!("policies are not watched: {error}"),
                drop,
            );
        Self { messages, seen }
    }

    /// Watches a file for a slot; its content `hash` is known. `params` are the slot's.
    pub fn follow(&self, slot: Slot, file: PolicyFile, hash: &str, params: &Params) {
        let follow = Follow {
            slot,
            file,
            hash: hash.to_owned(),
            params: params.clone(),
        };
        // A thread that could not start has said so already.
        let _ = self.messages.send(Message::Follow(follow));
    }

    /// Waits until something was saved, and returns that and what else was since the last call; nothing where the thread has ended.
    pub fn wait(&self) -> Option<Vec<Seen>> {
        let first = self.seen.recv().ok()?;
        Some(std::iter::once(first).chain(self.seen()).collect())
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
    follow: Follow,
    /// The hash last reported, or what was wrong with a file that could not be read.
    reported: String,
    /// The files whose change changes the policy.
    files: Vec<PathBuf>,
    /// Whether the file was found unfinished once: many editors truncate before they write, and cargo unlinks before it links.
    unfinished: bool,
}

impl Followed {
    /// What was read of the file now, with its hash; nothing where it may be between two writes.
    fn read(&mut self) -> Option<(String, Result<Content, Fault>)> {
        let slot = self.follow.slot;
        let content = self.follow.file.read(slot);
        let unfinished = match &content {
            Ok(Content::Script(source)) => source.main().text.trim().is_empty(),
            Ok(Content::Plugin(_)) => false,
            Err(fault) => matches!(fault.kind, Kind::Missing | Kind::Load),
        };
        if unfinished && !std::mem::replace(&mut self.unfinished, true) {
            return None;
        }
        self.unfinished = unfinished;
        self.files = self.files(&content);
        let hash = content.as_ref().map(Content::hash).unwrap_or_default();
        Some((hash, content))
    }

    fn files(&self, content: &Result<Content, Fault>) -> Vec<PathBuf> {
        let mut files: Vec<_> = self.follow.file.path().cloned().into_iter().collect();
        if let Ok(Content::Script(source)) = content {
            files.extend(source.files());
        }
        files
    }
}

struct Thread {
    outbox: Sender<Seen>,
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    followed: Vec<Followed>,
    staging: Staging,
    sweep: Duration,
}

impl Thread {
    fn new(outbox: Sender<Seen>, wake: Sender<Message>, staging: Staging) -> Self {
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
            followed: Vec::new(),
            staging,
            sweep: SWEEP,
        }
    }

    fn run(mut self, inbox: &Receiver<Message>) {
        let mut dirty: Option<Stopwatch> = None;
        loop {
            let wait = if dirty.is_some() { QUIET } else { self.sweep };
            match inbox.recv_timeout(wait) {
                Ok(Message::Follow(follow)) => self.follow(follow),
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

    fn follow(&mut self, follow: Follow) {
        self.followed.push(Followed {
            reported: follow.hash.clone(),
            files: Vec::new(),
            follow,
            unfinished: false,
        });
        self.look();
    }

    /// Reads every followed file and reports those whose content has changed.
    fn look(&mut self) {
        let mut files = Vec::new();
        for followed in &mut self.followed {
            let read = followed.read();
            files.extend_from_slice(&followed.files);
            let Some((hash, content)) = read else {
                continue;
            };
            let seen = match &content {
                Ok(_) => hash.clone(),
                Err(fault) => fault.message.clone(),
            };
            if seen == followed.reported {
                continue;
            }
            followed.reported = seen;
            let Follow {
                slot, params, file, ..
            } = &followed.follow;
            let content = content.and_then(|content| content.tried(*slot, params, &self.staging));
            let _ = self.outbox.send(Seen {
                slot: *slot,
                file: file.clone(),
                hash,
                content,
            });
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

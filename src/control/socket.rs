//! A run's socket: commands from other processes, one JSON object a line, and an answer to each.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use super::{Command, Remote, Reply};

/// The socket's name in a run's folder.
const NAME: &str = "control.sock";
/// What it is called until nobody else can open it.
const UNREADY: &str = ".tmp-control.sock";

/// A socket that is open as long as this lives.
pub struct Socket {
    folder: Folder,
    closed: Arc<AtomicBool>,
}

impl Socket {
    /// Opens the socket of a run's folder and answers on a thread of its own. One that a killed run left is replaced: whoever calls
    /// this holds the folder's lock.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(folder: &Path, remote: Remote) -> io::Result<Self> {
        let folder = Folder::open(folder)?;
        let (unready, path) = (folder.file(UNREADY), folder.file(NAME));
        let _ = fs::remove_file(&unready);
        let listener = UnixListener::bind(&unready)?;
        // Under its own name only when it is the owner's alone.
        fs::set_permissions(&unready, fs::Permissions::from_mode(0o600))?;
        fs::rename(&unready, &path)?;
        let closed = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&closed);
        thread::Builder::new()
            .name("control".into())
            .spawn(move || {
                for stream in listener.incoming() {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let remote = remote.clone();
                    let serve = move || stream.map(|stream| serve(&stream, &remote));
                    // Each in a thread of its own: a paused run answers one while another waits.
                    let _ = thread::Builder::new().name("control".into()).spawn(serve);
                }
            })?;
        Ok(Self { folder, closed })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        let path = self.folder.file(NAME);
        // The thread sleeps until somebody calls.
        let _ = UnixStream::connect(&path);
        let _ = fs::remove_file(path);
    }
}

/// An open folder, below which paths are short: the path of a socket has 107 bytes at most, and that of a run may have more.
struct Folder(File);

impl Folder {
    fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }

    fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.0.as_raw_fd()))
    }
}

/// Bytes of a command: a line without an end must not fill the memory.
const LONGEST: u64 = 1 << 20;

fn serve(stream: &UnixStream, remote: &Remote) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        match reader.by_ref().take(LONGEST).read_line(&mut line) {
            Ok(1..) if line.ends_with('\n') => {}
            // The end, no text, or a line that is too long.
            _ => return,
        }
        let reply = match serde_json::from_str::<Command>(&line) {
            Ok(command) => remote
                .send(command)
                .recv()
                .unwrap_or_else(|_| Err("the run has ended".to_owned())),
            Err(error) => Err(format!("this is no command: {error}")),
        };
        let answer = match reply {
            Ok(value) => json!({ "ok": value }),
            Err(message) => json!({ "error": message }),
        };
        let mut out = stream;
        if writeln!(out, "{answer}").is_err() {
            return;
        }
    }
}

/// Gives a command to the run that lives in a folder, and waits for its answer: until the step that is under way is done.
///
/// # Errors
/// When no run listens there.
pub fn ask(folder: &Path, command: &Command) -> io::Result<Reply> {
    let folder = Folder::open(folder)?;
    let mut stream = UnixStream::connect(folder.file(NAME))?;
    let text = serde_json::to_string(command).map_err(io::Error::other)?;
    writeln!(stream, "{text}")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    let mut answer: Value = serde_json::from_str(&answer)
        .map_err(|_| io::Error::new(io::ErrorKind::ConnectionAborted, "the run ended first"))?;
    Ok(match answer["error"].as_str() {
        Some(message) => Err(message.to_owned()),
        None => Ok(answer["ok"].take()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::line;
    use crate::policy::Params;

    /// A folder whose path is longer than that of any socket may be.
    fn deep() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a".repeat(120));
        fs::create_dir(&deep).unwrap();
        (folder, deep)
    }

    #[test]
    fn commands_cross_the_socket_and_answers_come_back() {
        let (_folder, deep) = deep();
        let (remote, inbox) = line();
        let socket = Socket::open(&deep, remote).unwrap();
        let mode = fs::metadata(deep.join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let run = thread::spawn(move || {
            let mut seen = Vec::new();
            while seen.len() < 2 {
                for ask in inbox.take() {
                    let reply = match ask.command {
                        Command::Pause => Ok(json!("paused")),
                        _ => Err("no".to_owned()),
                    };
                    seen.push(ask.command);
                    ask.reply.send(reply).unwrap();
                }
            }
            seen
        });
        let set = Command::Set {
            values: Params::from_iter([("optim.lr".into(), json!(0.5))]),
        };
        assert_eq!(ask(&deep, &Command::Pause).unwrap(), Ok(json!("paused")));
        assert_eq!(ask(&deep, &set).unwrap(), Err("no".to_owned()));
        assert_eq!(run.join().unwrap(), [Command::Pause, set]);
        // The inbox is gone with the thread: the run has ended.
        let ended = ask(&deep, &Command::Status).unwrap();
        assert_eq!(ended, Err("the run has ended".to_owned()));
        drop(socket);
        assert!(ask(&deep, &Command::Status).is_err());
        assert!(!deep.join(NAME).exists());
    }

    #[test]
    fn what_is_no_command_is_told_so_and_a_socket_that_was_left_is_replaced() {
        let (_folder, deep) = deep();
        let folder = Folder::open(&deep).unwrap();
        drop(UnixListener::bind(folder.file(NAME)).unwrap());
        let (remote, _inbox) = line();
        let _socket = Socket::open(&deep, remote).unwrap();
        let mut stream = UnixStream::connect(folder.file(NAME)).unwrap();
        writeln!(stream, "{{\"do\":\"dance\"}}").unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        assert!(answer.contains("this is no command"), "{answer}");
    }
}

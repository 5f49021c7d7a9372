//! The thread with keys that are written down and a screen in memory.

use std::io;
use std::sync::{Arc, Mutex};

use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::control::{Inbox, line};
use crate::dashboard::{Dashboard, Style, draw};

/// What stays when the dashboard has gone.
#[derive(Clone, Default)]
struct Stay(Arc<Mutex<Vec<u8>>>);

impl Stay {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Stay {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keys one after the other, and then a terminal on which nothing happens, or that hangs up.
struct Script {
    keys: Vec<KeyEvent>,
    hangs_up: bool,
}

impl Keys for Script {
    fn next(&mut self, patience: Duration) -> io::Result<Option<Input>> {
        match self.keys.is_empty() {
            false => Ok(Some(Input::Key(self.keys.remove(0)))),
            true if self.hangs_up => Err(io::Error::other("the terminal has hung up")),
            true => {
                thread::sleep(patience.min(Duration::from_millis(1)));
                Ok(None)
            }
        }
    }
}

fn dashboard(
    keys: &str,
    hangs_up: bool,
    draw: fn(&mut Frame<'_>, &State),
) -> (Dashboard, Inbox, Stay) {
    let (remote, inbox) = line();
    let stay = Stay::default();
    let keys = keys.chars();
    let keys = keys.map(|key| KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE));
    let front = Front {
        terminal: ratatui::Terminal::new(TestBackend::new(100, 30)).unwrap(),
        keys: Box::new(Script {
            keys: keys.collect(),
            hangs_up,
        }),
        draw,
        remote,
        screen: None,
    };
    let dashboard = Dashboard::attended(front, Style::default(), stay.clone()).unwrap();
    (dashboard, inbox, stay)
}

fn said(text: &str) -> Message {
    Message::Said(text.to_owned())
}

/// Tells until there is nobody to tell, as a run does that goes on; a dashboard that stays for ever fails the test.
fn tell_until_gone(dashboard: &Dashboard) {
    let line = dashboard.line();
    let watch = Stopwatch::start();
    while line.tell(said("step")).is_ok() {
        assert!(watch.ms() < 60_000.0, "the dashboard stays");
        thread::yield_now();
    }
}

#[test]
fn a_panic_while_it_draws_ends_the_dashboard_and_not_the_run() {
    let (dashboard, _inbox, stay) = dashboard("", false, |_, _| panic!("no pencil"));
    tell_until_gone(&dashboard);
    dashboard.close();
    let text = stay.text();
    assert!(
        text.contains("warning: the dashboard is gone, plain lines go on: "),
        "{text}"
    );
    assert!(text.contains("no pencil"), "{text}");
}

#[test]
fn a_terminal_that_hangs_up_ends_the_dashboard_and_not_the_run() {
    let (dashboard, _inbox, stay) = dashboard("", true, draw::draw);
    tell_until_gone(&dashboard);
    dashboard.close();
    assert!(
        stay.text().contains("the terminal has hung up"),
        "{}",
        stay.text()
    );
}

#[test]
fn keys_reach_the_run_in_their_order_and_the_last_lines_stay() {
    let (dashboard, inbox, stay) = dashboard("pcpq", false, draw::draw);
    for number in 0..40 {
        dashboard
            .line()
            .tell(said(&format!("line {number}")))
            .unwrap();
    }
    let asked = (0..4).map(|_| inbox.wait(Duration::from_mins(1)).unwrap());
    let asked: Vec<_> = asked
        .map(|ask| {
            ask.reply.send(Ok("done".into())).unwrap();
            ask.command
        })
        .collect();
    let expected = [
        Command::Pause,
        Command::Checkpoint,
        Command::Continue,
        Command::Stop,
    ];
    assert_eq!(asked, expected);
    let line = dashboard.line();
    dashboard.close();
    let text = stay.text();
    assert!(text.contains("line 39\n"), "{text}");
    assert!(!text.contains("line 5\n"), "{text}");
    assert!(line.tell(said("after")).is_err());
}

#[test]
fn a_screen_that_takes_nothing_never_stops_the_run() {
    /// Held by the test as long as the screen takes nothing.
    static STUCK: Mutex<()> = Mutex::new(());
    let held = STUCK.lock().unwrap();
    let (dashboard, _inbox, _) = dashboard("", false, |_, _| drop(STUCK.lock()));
    let line = dashboard.line();
    for _ in 0..100_000 {
        line.tell(said("step")).unwrap();
    }
    assert!(line.shared.missed.load(Ordering::Relaxed) > 90_000);
    drop(held);
    dashboard.close();
}

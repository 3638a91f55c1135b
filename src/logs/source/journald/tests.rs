//! A journalctl that a test has written: a shell script in a temporary folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::*;

struct Rig {
    folder: tempfile::TempDir,
    context: Arc<SourceContext>,
    thread: Option<JoinHandle<()>>,
}

impl Rig {
    /// Runs the source on a script that finds its folder in `$here`.
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("journalctl");
        let here = folder.path().display();
        fs::write(&place, format!("#!/bin/sh\nhere={here}\n{script}\n")).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
        let context = Arc::new(SourceContext::rigged("journald"));
        let running = context.clone();
        let source = Box::new(JournaldSource {
            places: vec![folder.path().join("nowhere"), place],
            first_pause: Duration::from_millis(1),
        });
        Self {
            folder,
            context,
            thread: Some(thread::spawn(move || source.run(&running))),
        }
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    fn wait_for(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        for _ in 0..2000 {
            if condition(self) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("{what}: {:?}", self.context.shared.state());
    }

    fn wait_for_state(&self, state: &str) {
        self.wait_for(state, |rig| rig.context.shared.state().state == state);
    }

    fn last_error(&self) -> String {
        self.context.shared.state().last_error.unwrap_or_default()
    }

    fn stop(&mut self) {
        self.context.stop.stop();
        self.thread.take().unwrap().join().unwrap();
        assert_eq!(self.context.shared.state().state, "stopped");
    }

    fn messages(&self) -> Vec<String> {
        let entries = self.context.entries();
        let message = |entry: &serde_json::Value| entry["message"].as_str().unwrap().to_owned();
        entries.iter().map(message).collect()
    }
}

#[test]
fn a_child_that_is_killed_is_followed_by_one_that_goes_on_at_its_cursor() {
    let mut rig = Rig::new(
        r#"echo "$*" >>$here/arguments
        line() { printf '{"__CURSOR":"%s","MESSAGE":"%s"}\n' "$@"; }
        case "$*" in
        *--after-cursor=c3*) line c4 four; exec sleep 1000;;
        *--after-cursor=c2*) line c3 three; kill -9 $$;;
        *) line c1 one; line c2 two; printf '{"__CURSOR":"c3","MESS'; kill -9 $$;;
        esac"#,
    );
    rig.wait_for("four", |rig| {
        rig.messages().last().is_some_and(|last| last == "four")
    });
    rig.wait_for_state("following");
    rig.stop();
    assert_eq!(rig.messages(), ["one", "two", "three", "four"]);
    assert!(
        rig.last_error().contains("signal: 9"),
        "{}",
        rig.last_error()
    );
    let arguments = rig.file("arguments");
    let starts: Vec<_> = arguments.lines().collect();
    assert_eq!(starts.len(), 3);
    assert!(starts[0].contains("--lines=200") && !starts[0].contains("cursor"));
    for again in &starts[1..] {
        assert!(again.contains("--no-tail") && !again.contains("--lines"));
    }
    for start in starts {
        assert!(
            start.starts_with("--follow --output=json --no-pager --all --output-fields=MESSAGE,")
        );
    }
}

#[test]
fn what_it_says_when_it_dies_is_told_on_one_bounded_line() {
    let mut rig = Rig::new(
        r"echo 'Failed to open
        the journal' >&2; head -c 100000 /dev/zero | tr '\0' x >&2; exit 3",
    );
    rig.wait_for_state("waiting to start journalctl again");
    rig.wait_for("what it said", |rig| {
        rig.last_error().contains("exit status: 3")
    });
    rig.stop();
    let error = rig.last_error();
    assert!(
        error.starts_with("journalctl ended with exit status: 3: Failed to open the journal xxx"),
        "{error}"
    );
    assert!(error.len() < MAX_COMPLAINT + 100 && !error.contains('\n'));
}

#[test]
fn what_it_says_while_it_runs_is_told_too() {
    let mut rig = Rig::new(
        r"printf 'Hint: You are currently not seeing messages from other users.\n  Pass -q to turn off this notice.\n' >&2
        exec sleep 1000",
    );
    rig.wait_for("the hint", |rig| !rig.last_error().is_empty());
    assert_eq!(rig.context.shared.state().state, "following");
    rig.stop();
    assert_eq!(
        rig.last_error(),
        "Hint: You are currently not seeing messages from other users."
    );
}

#[test]
fn a_cursor_that_is_refused_is_given_up() {
    let mut rig = Rig::new(
        r#"case "$*" in
        *after-cursor*) echo 'Failed to seek to cursor: Invalid argument' >&2; exit 1;;
        esac
        echo x >>$here/starts
        echo '{"__CURSOR":"c1","MESSAGE":"again"}'; [ $(wc -l <$here/starts) -lt 2 ] || exec sleep 1000"#,
    );
    rig.wait_for("the second start", |rig| rig.messages().len() == 2);
    rig.stop();
}

#[test]
fn the_child_is_gone_at_a_stop_even_if_it_does_not_listen() {
    let mut rig = Rig::new(
        r#"trap '' TERM INT HUP PIPE
        sleep 1000 & echo $$ $! >$here/pids
        echo '{"MESSAGE":"up"}'
        while :; do wait; done"#,
    );
    rig.wait_for("up", |rig| rig.messages() == ["up"]);
    let begun = std::time::Instant::now();
    rig.stop();
    assert!(begun.elapsed() < Duration::from_secs(2));
    let pids = rig.file("pids");
    assert_eq!(pids.split_whitespace().count(), 2);
    // What it has started is nobody's child any more, and may take a moment to be reaped.
    rig.wait_for("the end of all", |_| {
        pids.split_whitespace().all(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        })
    });
    let own = pids.split_whitespace().next().unwrap();
    assert!(
        !std::path::Path::new(&format!("/proc/{own}")).exists(),
        "reaped"
    );
}

#[test]
fn nothing_of_our_environment_reaches_the_child() {
    let mut rig = Rig::new(
        r#"env | sed 's/=.*//' >$here/env; pwd >$here/pwd
        read -r input; echo "input: $input" >$here/input
        echo '{"MESSAGE":"done"}'; exec sleep 1000"#,
    );
    rig.wait_for("done", |rig| rig.messages() == ["done"]);
    rig.stop();
    assert!(std::env::vars().count() > 3, "there is something to hide");
    let env = rig.file("env");
    let extra: Vec<_> = env
        .lines()
        // What the shell sets by itself.
        .filter(|name| !["LANG", "PATH", "PWD", "SHLVL", "OLDPWD", "_"].contains(name))
        .collect();
    assert_eq!(extra, [""; 0]);
    assert_eq!(rig.file("pwd"), "/\n");
    assert_eq!(rig.file("input"), "input: \n");
}

#[test]
fn a_missing_journalctl_is_an_error_that_says_so() {
    let context = Arc::new(SourceContext::rigged("journald"));
    let running = context.clone();
    let source = Box::new(JournaldSource {
        places: vec!["/nonexistent/journalctl".into()],
        first_pause: FIRST_PAUSE,
    });
    let thread = thread::spawn(move || source.run(&running));
    while context.shared.state().state != "error" {
        thread::yield_now();
    }
    context.stop.stop();
    thread.join().unwrap();
    let error = context.shared.state().last_error.unwrap();
    assert!(error.contains("journalctl is not there"), "{error}");
}

#[test]
fn a_child_that_keeps_dying_is_started_less_and_less_often_until_one_runs() {
    let mut backoff = RestartBackoff::new(FIRST_PAUSE);
    let pauses: Vec<_> = (0..9)
        .map(|_| backoff.after(Duration::ZERO).as_millis())
        .collect();
    assert_eq!(
        pauses,
        [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]
    );
    assert_eq!(backoff.after(RAN_WELL), FIRST_PAUSE);
    assert_eq!(backoff.after(Duration::from_secs(1)), 2 * FIRST_PAUSE);
}

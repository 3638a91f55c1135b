//! What somebody is told, and what still holds, when the journal of a device is found damaged, cut short or gone.

use std::fs;

use postern::journal::format::{FRAMES_START, Frame, parse_header};

use crate::device::{Tokens, USER, bearer};
use crate::forge::KEY;
use crate::program::Program;

const FIRST: &str = "correct horse battery";
const SECOND: &str = "wrong mule accumulator";

struct Rig {
    program: Program,
    /// Of a login that has ended.
    ended: Tokens,
    /// Of one that has not.
    living: Tokens,
}

impl Rig {
    fn start(variables: &[(&str, &str)]) -> Self {
        let first = [("BASIC_AUTH_PASSWORD", FIRST)];
        let program = Program::start(&[&first, variables].concat());
        let ended = Tokens::of(&program.login(USER, FIRST));
        let living = Tokens::of(&program.login(USER, FIRST));
        let out = program.request("POST", "/api/logout", Some(&ended.bearer()), None);
        assert_eq!(out.status, 200);
        Self {
            program,
            ended,
            living,
        }
    }

    /// Starts again on a journal to which this has been done; gives what is said at that start.
    fn damaged(&mut self, damage: impl FnOnce(&mut Vec<u8>)) -> String {
        let before = self.program.stderr().len();
        self.program.kill_and_restart_after(|program| {
            let path = program.state("journal");
            let mut bytes = fs::read(&path).expect("a journal");
            damage(&mut bytes);
            fs::write(path, bytes).expect("damaged");
        });
        self.program.stderr()[before..].to_owned()
    }

    fn accepts(&self, token: &str) -> bool {
        let answer = self
            .program
            .request("GET", "/api/ws-token", Some(&bearer(token)), None);
        answer.status == 200
    }

    fn kept(&self) -> bool {
        self.program.state("journal.damaged.1").exists()
    }
}

/// Where each frame begins.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let (_, salt) = parse_header(bytes).expect("a header");
    let (mut at, mut starts) = (FRAMES_START, Vec::new());
    while let Some(frame) = bytes.get(at..).and_then(|rest| Frame::parse(rest, salt)) {
        starts.push(at);
        at += frame.len();
    }
    starts
}

#[test]
fn damage_to_the_last_record_is_told_with_what_it_may_have_cost_and_what_to_do() {
    let mut rig = Rig::start(&[]);
    let body = serde_json::json!({"current_password": FIRST, "new_password": SECOND});
    let bearer = rig.living.bearer();
    let changed = rig
        .program
        .request("POST", "/api/change-password", Some(&bearer), Some(&body));
    assert_eq!(changed.status, 200);
    // It is there twice.
    let said = rig.damaged(|bytes| {
        for frame in frames(bytes).iter().rev().take(2) {
            bytes[frame + 40] ^= 1;
        }
    });
    assert!(rig.kept());
    for part in [
        "damaged",
        "journal.damaged.1",
        "is number 1",
        "had ended may work again",
        "secret-key",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(rig.program.login(USER, FIRST).status, 200);
}

#[test]
fn where_no_record_is_left_all_logins_end_and_the_file_is_kept() {
    type Damage = fn(&mut Vec<u8>);
    let broken: Damage = |bytes| frames(bytes).iter().for_each(|at| bytes[at + 4] ^= 1);
    for damage in [
        broken,
        |bytes| bytes.truncate(30),
        |bytes| bytes.truncate(3),
    ] {
        let mut rig = Rig::start(&[]);
        let said = rig.damaged(damage);
        assert!(!rig.accepts(&rig.ended.access) && !rig.accepts(&rig.living.access));
        assert!(rig.kept());
        assert!(said.contains("The password is lost"), "{said}");
        assert!(said.contains("All logins have ended"), "{said}");
        assert_eq!(rig.program.login(USER, FIRST).status, 200);
    }
}

#[test]
fn a_journal_cut_before_its_password_is_no_silent_first_start() {
    let mut rig = Rig::start(&[]);
    let said = rig.damaged(|bytes| bytes.truncate(frames(bytes)[2]));
    assert!(said.contains("no password in the journal"), "{said}");
    assert!(!rig.accepts(&rig.ended.access) && !rig.accepts(&rig.living.access));
    assert_eq!(rig.program.login(USER, FIRST).status, 200);
}

#[test]
fn a_journal_that_is_gone_under_a_given_key_is_told_with_the_way_out() {
    let mut rig = Rig::start(&[("SECRET_KEY", KEY)]);
    let first = rig.program.stderr();
    assert!(!first.contains("SECRET_KEY"), "{first}");
    for damage in [|_: &mut Vec<u8>| (), Vec::clear] {
        let before = rig.program.stderr().len();
        rig.program.kill_and_restart_after(|program| {
            let path = program.state("journal");
            let mut bytes = fs::read(&path).expect("a journal");
            let whole = bytes.len();
            damage(&mut bytes);
            if bytes.len() == whole {
                fs::remove_file(path).expect("removed");
            } else {
                fs::write(path, bytes).expect("emptied");
            }
        });
        let said = rig.program.stderr()[before..].to_owned();
        assert!(said.contains("set another SECRET_KEY"), "{said}");
        assert!(rig.accepts(&rig.ended.access), "as it says");
    }
}

use super::*;
use crossbeam_channel::unbounded;
use parking_lot::Mutex;

#[test]
fn a_part_is_silent_until_it_has_answered_the_last_question() {
    let (asked, answers) = unbounded();
    let ask = move |answer| asked.send(answer).expect("kept");
    let other = Part::answering("other".into(), |answer: Answer| answer());
    let mut pulse = Pulse::new(vec![Part::answering("slow".into(), ask), other]);
    pulse.ask();
    assert_eq!(pulse.silent(), ["slow"]);
    let first = answers.recv().expect("an answer");
    pulse.ask();
    first();
    assert_eq!(pulse.silent(), ["slow"], "that was the question before");
    answers.recv().expect("an answer")();
    assert!(pulse.silent().is_empty());
    pulse.ask();
    assert_eq!(pulse.silent(), ["slow"]);
    drop(answers.recv());
    assert_eq!(pulse.silent(), ["slow"], "who forgets it has not answered");
}

#[test]
fn a_part_that_is_watched_is_silent_while_it_is_at_work_and_stands_still() {
    let come = Arc::new(Mutex::new(None));
    let seen = come.clone();
    let part = Part::progressing("pool".into(), move || *seen.lock());
    let mut pulse = Pulse::new(vec![part]);
    pulse.ask();
    assert!(pulse.silent().is_empty(), "it has nothing to do");
    *come.lock() = Some(7);
    pulse.ask();
    assert_eq!(pulse.silent(), ["pool"]);
    *come.lock() = Some(8);
    assert!(pulse.silent().is_empty(), "it has moved");
    assert!(
        pulse.silent().is_empty(),
        "once is enough for this question"
    );
    pulse.ask();
    assert_eq!(pulse.silent(), ["pool"]);
    *come.lock() = None;
    assert!(pulse.silent().is_empty(), "it is through");
}

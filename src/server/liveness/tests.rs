use super::*;
use crossbeam_channel::unbounded;
use parking_lot::Mutex;

#[test]
fn a_part_is_silent_until_it_has_answered_the_last_question() {
    let (asked, answers) = unbounded();
    let ask = move |answer| asked.send(answer).expect("kept");
    let other = WatchedPart::answering("other".into(), |answer: LivenessReply| answer());
    let mut liveness = Liveness::new(vec![WatchedPart::answering("slow".into(), ask), other]);
    liveness.ask();
    assert_eq!(liveness.silent(), ["slow"]);
    let first = answers.recv().expect("an answer");
    liveness.ask();
    first();
    assert_eq!(liveness.silent(), ["slow"], "that was the question before");
    answers.recv().expect("an answer")();
    assert!(liveness.silent().is_empty());
    liveness.ask();
    assert_eq!(liveness.silent(), ["slow"]);
    drop(answers.recv());
    assert_eq!(
        liveness.silent(),
        ["slow"],
        "who forgets it has not answered"
    );
}

#[test]
fn a_part_that_is_watched_is_silent_while_it_is_at_work_and_stands_still() {
    let come = Arc::new(Mutex::new(None));
    let seen = come.clone();
    let part = WatchedPart::progressing("pool".into(), move || *seen.lock());
    let mut liveness = Liveness::new(vec![part]);
    liveness.ask();
    assert!(liveness.silent().is_empty(), "it has nothing to do");
    *come.lock() = Some(7);
    liveness.ask();
    assert_eq!(liveness.silent(), ["pool"]);
    *come.lock() = Some(8);
    assert!(liveness.silent().is_empty(), "it has moved");
    assert!(
        liveness.silent().is_empty(),
        "once is enough for this question"
    );
    liveness.ask();
    assert_eq!(liveness.silent(), ["pool"]);
    *come.lock() = None;
    assert!(liveness.silent().is_empty(), "it is through");
}

use super::*;

#[test]
fn a_lane_with_a_thread_to_spare_is_not_at_work_and_one_without_shows_each_step() {
    let lane = Lane::new(2, FairQueue::new(1, 1));
    let begin = || lane.begun.fetch_add(1, Ordering::Release);
    let end = || lane.done.fetch_add(1, Ordering::Release);
    assert_eq!(lane.progress(), None);
    begin();
    assert_eq!(lane.progress(), None);
    begin();
    let full = lane.progress();
    assert!(full.is_some());
    // Full again, with the next job from the queue.
    end();
    begin();
    assert!(lane.progress().is_some());
    assert_ne!(lane.progress(), full);
    end();
    assert_eq!(lane.progress(), None);
}

use super::*;
use crate::config::SecretString;

#[test]
fn no_secret_shows_itself() {
    let (stop, _tell) = StopSignal::by_hand().unwrap();
    let desk = Desk {
        folder: None,
        password: Some(SecretString::new("hunter22".to_owned())),
        colors: [false; 2],
        stop,
        timing: Timing::default(),
    };
    assert!(!format!("{desk:?}").contains("hunter22"));
}

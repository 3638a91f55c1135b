use super::*;

#[test]
fn a_label_is_a_name_whatever_the_file_is_called() {
    let long = format!("/{}.log", "x".repeat(200));
    for (path, label) in [
        ("/var/log/app.log", "app"),
        ("/var/log/messages", "messages"),
        ("/var/log/app.log.1", "app.log"),
        ("/x/my log.txt", "my_log"),
        ("/x/é\n\".log", "___"),
        ("/x/.log", ".log"),
        ("/x/postern.log", "postern_"),
        ("/", "_"),
        (&long, &"x".repeat(64)),
    ] {
        assert_eq!(of_file(Path::new(path)), label);
    }
}

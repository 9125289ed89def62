use checks::model::{
    Fact, Observation,
    observation::{
        ObjectChange,
        object::{Container, Object, StatefulSet},
    },
};
use serde_json::json;

use super::{mask, mask_lines, mask_observation};

#[test]
fn values_of_secret_names_are_masked() {
    for (said, recorded) in [
        ("DB_PASSWORD=hunter 2", "DB_PASSWORD=***"),
        ("export API_TOKEN='a b' LANG=C", "export API_TOKEN=*** LANG=C"),
        ("connecting with password=hunter2, user=me", "connecting with password=***, user=me"),
        (r#"{"clientSecret": "abc\u00e9", "port": 80}"#, r#"{"clientSecret": ***, "port": 80}"#),
        (
            r#"{"log": "{\"password\":\"hunter 2\",\"port\":80}"}"#,
            r#"{"log": "{\"password\":***,\"port\":80}"}"#,
        ),
        ("aws_secret_access_key: abc/def+g", "aws_secret_access_key: ***"),
        ("AWS_ACCESS_KEY_ID=AKIA", "AWS_ACCESS_KEY_ID=***"),
        ("jdbc:mysql://db?user=me&password=x&ssl=1", "jdbc:mysql://db?user=me&password=***&ssl=1"),
        ("größe_token=ü", "größe_token=***"),
        (r#"{"password": "ab\"hunter2", "port": 80}"#, r#"{"password": ***, "port": 80}"#),
        ("export PASSWORD=p@ss,w0rd&more; run", "export PASSWORD=*** run"),
        ("  DB_PASSWORD=correct horse", "  DB_PASSWORD=***"),
        ("password => hunter2", "password => ***"),
        ("mysql --password hunter2 -u me", "mysql --password *** -u me"),
        ("mysql --password=hunter2 -u me", "mysql --password=*** -u me"),
    ] {
        assert_eq!(mask(said), recorded);
    }
}

#[test]
fn credentials_and_addresses_are_masked() {
    for (said, recorded) in [
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer ***"),
        ("authorization: basic bWU6c2VjcmV0", "authorization: basic ***"),
        (
            "GET https://me:hunter2@db.example:5432/x failed",
            "GET https://me:***@db.example:5432/x failed",
        ),
        ("https://ghp_abc@github.com/x", "https://***@github.com/x"),
        ("jwt eyJhbGciOi.eyJzdWIi.c2ln end", "jwt *** end"),
    ] {
        assert_eq!(mask(said), recorded);
    }
}

#[test]
fn private_keys_are_masked_line_by_line() {
    let line = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg";
    let log =
        |lines: &[&str]| mask_lines(&lines.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
    let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
    let masked = log(&["start", begin, line, "AAAA", end, "on"]);
    assert!(
        !masked.join("\n").contains("MIGH") && !masked.join("\n").contains("AAAA"),
        "{masked:?}"
    );
    assert_eq!((masked[0].as_str(), masked[5].as_str()), ("start", "on"));
    // The log begins in the middle of the key.
    assert!(!log(&["start", line, line, end]).join("\n").contains("MIGH"));
    assert_eq!(log(&["it is up", line, "c2hvcnQ=", end]), ["it is up", "***", "***", end]);
    assert_eq!(log(&["it is up", "c2hvcnQ=", end]), ["it is up", "***", end]);
    assert_eq!(mask(&format!("TLS='{begin}\\n{line}\\n{end}\\n' X=1")), "TLS='***\\n' X=1");
}

/// Catches a line that is taken for the end of a key, because the next one holds a whole key, and a
/// key that is left because the mark of an end stands before that of its begin.
#[test]
fn a_key_in_one_line_masks_no_other_line() {
    let log =
        |lines: &[&str]| mask_lines(&lines.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
    let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
    let tls = format!("TLS={begin}\\nMIGH\\n{end}");
    assert_eq!(log(&["ready", &tls, "on"]), ["ready", "TLS=***", "on"]);
    for before in [end, "-----END CERTIFICATE-----"] {
        let two = format!("{before}{begin}");
        let masked = log(&[begin, "MIGH", end, &two, "AAAA", end, "on"]);
        assert_eq!(masked, ["***", "***", end, &format!("{before}***"), "***", end, "on"]);
    }
}

/// Catches a key that is left behind a certificate or behind another key.
#[test]
fn every_private_key_of_a_text_is_masked() {
    let block = |name: &str| format!("-----BEGIN {name}-----\\nMIGH\\n-----END {name}-----\\n");
    let (certificate, key) = (block("CERTIFICATE"), block("EC PRIVATE KEY"));
    assert_eq!(mask(&certificate), certificate);
    let bundle = format!("{certificate}{key}and {}", block("PRIVATE KEY"));
    assert_eq!(mask(&bundle), format!("{certificate}***\\nand ***\\n"));
}

/// Catches a text from the cluster that is recorded as it came: each one that is for people to read
/// is masked at the same place.
#[test]
fn every_text_for_people_is_masked() {
    let said = "dial redis://me:hunter2@db failed";
    let texts = [
        json!({"change": "added", "object": {"Pod": {"status": {"message": said}}}}),
        json!({"change": "added", "object": {"Pod": {"status": {"conditions": [
            {"type": "DisruptionTarget", "status": "True", "message": said},
        ]}}}}),
        json!({"change": "added", "object": {"Pod": {"status": {"containerStatuses": [
            {"name": "app", "lastState": {"terminated": {"message": said}}},
        ]}}}}),
        json!({"change": "added", "object": {"Event": {"message": said}}}),
        json!({"step": {"name": "apply", "phase": "refused", "answer": said}}),
        json!({"gap": {"kind": "Pod", "reason": said}}),
        json!({"read": {"error": said}}),
        json!({"canary": {"error": said}}),
        json!({"lookup": {"error": said}}),
        json!({"lookup": {"unasked": said}}),
        json!({"end": {"why": "obstacle", "detail": said}}),
        json!({"diagnosis": {"unavailable": {"what": "logs", "why": said}}}),
        json!({"diagnosis": {"manifestRefused": {"what": said}}}),
        json!({"diagnosis": {"manifestRefused": {"detail": [said]}}}),
    ];
    for mut line in texts {
        (line["seq"], line["at"]) = (json!(1), json!(1));
        let mut observation: Observation = serde_json::from_value(line.clone()).unwrap();
        mask_observation(&mut observation.what);
        let recorded = serde_json::to_string(&observation).unwrap();
        assert!(recorded.contains("dial redis://me:***@db failed"), "{line}: {recorded}");
    }
}

/// Catches a password that the template's command holds.
#[test]
fn commands_of_the_template_are_masked() {
    let mut set = StatefulSet { spec: Some(Default::default()), ..Default::default() };
    let script = "set -e\nPGPASSWORD=hunter2 psql\nhostname > /data/id";
    set.spec.as_mut().unwrap().template.spec.containers = vec![Container {
        command: vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()],
        args: ["--password", "hunter2", "--verbose"].map(str::to_owned).into(),
        ..Container::default()
    }];
    let mut what = Fact::Object(ObjectChange::Added, Object::StatefulSet(set));
    mask_observation(&mut what);
    let said = format!("{what:?}");
    assert!(
        !said.contains("hunter2")
            && said.contains("hostname > /data/id")
            && said.contains("--verbose"),
        "{said}"
    );
}

/// Catches a log that explains nothing any more.
#[test]
fn what_tells_no_secret_stays() {
    for said in [
        "cannot read /etc/app.conf: no such file or directory",
        "unknown key: colour",
        "parse error: unexpected token: }",
        "basic setup done, bearer of news",
        "listening on http://0.0.0.0:8080/ as web-0",
        "mail me@example.com",
        "PATH=/usr/bin:/bin",
        "a = b: c",
    ] {
        assert_eq!(mask(said), said);
    }
}

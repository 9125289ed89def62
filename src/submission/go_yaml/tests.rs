use serde_json::{Value, json};

use super::{documents, plain};

fn one(text: &str) -> Value {
    documents(text).unwrap().remove(0).value
}

/// Catches reading YAML 1.2 where kubectl reads 1.1.
#[test]
fn plain_scalars_are_go_yaml_s() {
    for (text, value) in [
        ("yes", json!(true)),
        ("On", json!(true)),
        ("n", json!(false)),
        ("0644", json!(420)),
        ("0o17", json!(15)),
        ("0x1F", json!(31)),
        ("0b101", json!(5)),
        ("-12", json!(-12)),
        ("1_000", json!(1000)),
        ("089", json!(89)),
        ("1.50", json!(1.5)),
        (".5", json!(0.5)),
        ("1e3", json!(1000)),
        ("6e48", json!(6e48)),
        ("3.", json!(3)),
        ("3.0", json!(3)),
        ("1e", json!("1e")),
        (".", json!(".")),
        ("1.e2.3", json!("1.e2.3")),
        ("1e+3", json!(1000)),
        ("1:30", json!("1:30")),
        ("2026-01-02", json!("2026-01-02")),
        ("100Mi", json!("100Mi")),
        ("1.27.0", json!("1.27.0")),
        (".inf", json!(".inf")),
        ("-", json!("-")),
        ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("0x-5", json!("0x-5")),
        ("~", Value::Null),
    ] {
        assert_eq!(plain(text), value, "{text}");
    }
    assert_eq!(
        one("a: 'yes'\nb: \"0644\"\nc: !!str 1\nd: |\n  no\ne: !own 5\nf: !!int '5'\n"),
        json!({"a": "yes", "b": "0644", "c": "1", "d": "no\n", "e": "5", "f": 5})
    );
}

/// Catches documents that are lost, doubled or misnumbered in files as they really come.
#[test]
fn documents_are_numbered_as_they_stand() {
    let found =
        documents("\u{feff}# head\r\na: 1\r\n---\r\n# nothing\r\n---\r\n\r\nb: 2\r\n---\r\n")
            .unwrap();
    let places: Vec<_> = found.iter().map(|it| (it.number, it.line, it.value.clone())).collect();
    assert_eq!(places, [(1, 2, json!({"a": 1})), (3, 7, json!({"b": 2}))]);
    assert_eq!(documents("").unwrap(), []);
    assert_eq!(documents("---\n---\n# x\n").unwrap(), []);
}

#[test]
fn anchors_merges_and_doubled_keys() {
    assert_eq!(
        one("a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3\nc: *x\n"),
        json!({"a": {"k": 1, "l": 2}, "b": {"k": 3, "l": 2}, "c": {"k": 1, "l": 2}})
    );
    // A merged `kind` is not one that stands twice.
    assert_eq!(one("a: &x {kind: A}\n<<: *x\nkind: B\n")["kind"], "B");
    // As kubectl does it: YAML 1.1 would keep the 3.
    assert_eq!(
        one("a: &x {k: 1, l: 2}\nb:\n  k: 3\n  <<: *x\n"),
        json!({"a": {"k": 1, "l": 2}, "b": {"k": 1, "l": 2}})
    );
    assert_eq!(
        one("a: &x {k: 1}\nb: &y {k: 2, l: 2}\nc:\n  <<: [*x, *y]\n")["c"],
        json!({"k": 1, "l": 2})
    );
    assert!(documents("null: a\n").is_err());
    assert!(documents("a: &x {k: 1}\nb:\n  <<: [[*x]]\n").is_err());
    assert_eq!(one("a: 1\na: 2\n"), json!({"a": 2}));
    assert_eq!(one("1: a\ntrue: b\n"), json!({"1": "a", "true": "b"}));
}

/// Catches a small file that fills the memory or the stack.
#[test]
fn growth_is_bounded() {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for n in 1..9 {
        let alias = format!("*a{}", n - 1);
        bomb.push_str(&format!("a{n}: &a{n} [{}]\n", [alias.as_str(); 10].join(",")));
    }
    assert!(documents(&bomb).unwrap_err().why.contains("more than 200000 values"));
    // Few values, but a long one that stands often.
    let text = "A".repeat(100_000);
    let aliases = |count| format!("a: &x {text}\nb: [{}]\n", ["*x"].repeat(count).join(","));
    assert!(documents(&aliases(20)).is_ok());
    assert!(documents(&aliases(100_000)).unwrap_err().why.contains("more than 4 MiB"));
    let keys = format!("{{? {text}: *x}}");
    let keys = format!("a: &x {text}\nb: &y {keys}\nc: [{}]\n", ["*y"].repeat(100_000).join(","));
    assert!(documents(&keys).unwrap_err().why.contains("more than 4 MiB"));
    assert!(documents(&"[".repeat(100_000)).is_err());
    assert!(documents(&"- ".repeat(100_000)).is_err());
    assert!(documents("a: &a [*a]\n").is_err());
}

#[test]
fn faults_have_their_place() {
    let fault = documents("a: 1\n---\nb: 1\nc:\n\t- x\n").unwrap_err();
    assert_eq!((fault.document, fault.line), (2, 5), "{}", fault.why);
}

//! An API server that says what a test wants it to say.

use std::{
    io::{BufRead, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

/// Serves until the test's process ends; gives the address. `answer` hears the method and the path,
/// and says a status and a body.
pub(crate) fn serve(answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || reply(stream, &*answer));
        }
    });
    address
}

/// One request a connection. A client that leaves early is no business of the server's.
fn reply(stream: TcpStream, answer: &dyn Fn(&str) -> (u16, String)) -> Option<()> {
    let mut first = [0];
    let is_tls = stream.peek(&mut first).ok()? == 1 && first == [0x16];
    let mut from = BufReader::new(stream.try_clone().ok()?);
    let mut to = stream;
    if is_tls {
        return write!(to, "HTTP/1.0 400 Bad Request\r\n\r\n").ok();
    }
    let mut what = read_request(&mut from)?;
    if what.starts_with("CONNECT ") {
        // Asked as a proxy, it answers in the place of the server that is meant.
        write!(to, "HTTP/1.1 200 OK\r\n\r\n").ok()?;
        what = read_request(&mut from)?;
    }
    let (code, body) = answer(&what);
    write!(
        to,
        "HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: \
        {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .ok()
}

/// The method and the path; the body is read and thrown away.
fn read_request(from: &mut impl BufRead) -> Option<String> {
    let mut request = String::new();
    from.read_line(&mut request).ok()?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        from.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        let (name, value) = header.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    from.take(length).read_to_end(&mut vec![]).ok()?;
    Some(request.rsplit_once(' ')?.0.to_owned())
}

/// What Kubernetes says when it refuses.
pub(crate) fn status(code: u16, reason: &str, message: &str, kind: &str) -> (u16, String) {
    let details = serde_json::json!({"kind": kind});
    let status = serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "details": details, "code": code});
    (code, status.to_string())
}

/// What a server says of which nothing more is asked: its version, that all is permitted, and empty
/// lists.
pub(crate) fn empty(what: &str) -> (u16, String) {
    let all = serde_json::json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]);
    let body = match what {
        "GET /version" => serde_json::json!({"gitVersion": "v1.34.4"}),
        _ if what.contains("selfsubjectrulesreviews") => {
            serde_json::json!({"kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1",
            "metadata": {}, "spec": {}, "status": {"resourceRules": all, "nonResourceRules": [], "incomplete": false}})
        }
        _ if what.ends_with("/leases/stsgrade") => {
            return status(
                404,
                "NotFound",
                "leases.coordination.k8s.io \"stsgrade\" not found",
                "leases",
            );
        }
        _ => {
            serde_json::json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []})
        }
    };
    (200, body.to_string())
}

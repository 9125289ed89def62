//! Questions and answers as DNS over TCP has them, for pods with a way to a TCP port and no tool
//! for DNS.

use std::{collections::BTreeMap, fmt::Write as _, net::IpAddr};

use checks::model::observation::{NO_ADDRESS, NO_SUCH_NAME};
use hickory_proto::{
    op::{Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};

use crate::cluster::dns::Answer;

/// For each name two questions, in this order; for an address the one for its name.
const TYPES: [RecordType; 2] = [RecordType::A, RecordType::AAAA];
const OF_ADDRESS: [RecordType; 1] = [RecordType::PTR];

fn types(name: &str) -> &'static [RecordType] {
    if name.parse::<IpAddr>().is_ok() { &OF_ADDRESS } else { &TYPES }
}

/// All questions for these names, for a shell's `printf`, and how many they are.
pub(crate) fn questions(names: &[String]) -> (String, usize) {
    let of_name = |name: &String| {
        name.parse::<IpAddr>().map(Name::from).or_else(|_| Name::from_ascii(name)).ok()
    };
    let each = names
        .iter()
        .zip(0..)
        .flat_map(|(name, place)| types(name).iter().map(move |of| (name, place, *of)));
    let bytes = each.filter_map(|(name, place, of)| {
        let mut message = Message::new(id(place, of), MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(of_name(name)?, of));
        let message = message.to_vec().ok()?;
        let length = u16::try_from(message.len()).ok()?.to_be_bytes();
        Some([length.to_vec(), message].concat())
    });
    bytes.fold((String::new(), 0), |(mut text, count), bytes| {
        for byte in bytes {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\{byte:03o}");
        }
        (text, count + 1)
    })
}

/// The server's answers to [`questions`], by name, in order.
pub(crate) fn answers(names: &[String], mut bytes: &[u8]) -> Vec<(String, Answer)> {
    let mut messages: BTreeMap<u16, Message> = BTreeMap::new();
    while let Some((message, rest)) = next(bytes) {
        bytes = rest;
        if let Ok(message) = Message::from_vec(message) {
            messages.insert(message.metadata.id, message);
        }
    }
    let answer = |name: &str, place: u16| {
        let of_name = types(name).iter().filter_map(|of| messages.get(&id(place, *of)));
        answer_in(&of_name.collect::<Vec<_>>(), types(name).len())
    };
    names.iter().zip(0..).map(|(name, place)| (name.clone(), answer(name, place))).collect()
}

/// What the messages about one name say; `asked`: how many questions there were.
fn answer_in(messages: &[&Message], asked: usize) -> Answer {
    let records = || messages.iter().flat_map(|it| &it.answers);
    let pointer = records().find_map(|it| match &it.data {
        RData::PTR(name) => Some(name.to_string()),
        _ => None,
    });
    if let Some(name) = pointer {
        return Answer::Name(name.trim_end_matches('.').to_owned());
    }
    let mut addresses: Vec<String> =
        records().filter_map(|it| it.data.ip_addr()).map(|it| it.to_string()).collect();
    addresses.sort();
    addresses.dedup();
    if !addresses.is_empty() {
        return Answer::Addresses(addresses);
    }
    if messages.is_empty() {
        return Answer::Unanswered("no answer from the DNS server by TCP".to_owned());
    }
    let codes: Vec<ResponseCode> = messages.iter().map(|it| it.metadata.response_code).collect();
    let is_refusal =
        |it: &&ResponseCode| ![ResponseCode::NoError, ResponseCode::NXDomain].contains(it);
    if let Some(refusal) = codes.iter().find(is_refusal) {
        return Answer::Unanswered(format!("the DNS server answered: {refusal}"));
    }
    let is_unknown = codes.contains(&ResponseCode::NXDomain);
    // The answer that is not there yet may hold the address.
    if !is_unknown && messages.len() < asked {
        return Answer::Unanswered(
            "the DNS server answered one of two questions by TCP".to_owned(),
        );
    }
    Answer::Nothing(if is_unknown { NO_SUCH_NAME } else { NO_ADDRESS }.to_owned())
}

/// The question about a name, as its answer repeats it.
const fn id(place: u16, of: RecordType) -> u16 {
    place.wrapping_mul(2).wrapping_add(matches!(of, RecordType::AAAA) as u16)
}

/// A message behind its length, and what follows.
fn next(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// Bytes from hexadecimal digits, up to the first character that is none.
pub(crate) fn bytes_of(hex: &[u8]) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|value| u8::try_from(value).ok());
    hex.chunks_exact(2).map_while(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use hickory_proto::{
        op::{Message, ResponseCode},
        rr::{Name, RData, Record, rdata::PTR},
    };

    use super::{answers, bytes_of, questions};
    use crate::cluster::dns::Answer;

    fn queries(names: &[String]) -> Vec<Message> {
        let (octal, count) = questions(names);
        let bytes: Vec<u8> =
            octal.split('\\').skip(1).map(|it| u8::from_str_radix(it, 8).unwrap()).collect();
        let mut rest = bytes.as_slice();
        let mut list = vec![];
        while let Some((message, more)) = super::next(rest) {
            list.push(Message::from_vec(message).unwrap());
            rest = more;
        }
        assert_eq!(list.len(), count);
        list
    }

    fn sent(list: impl IntoIterator<Item = Message>) -> Vec<u8> {
        list.into_iter()
            .map(|it| it.to_vec().unwrap())
            .flat_map(|it| [u16::try_from(it.len()).unwrap().to_be_bytes().to_vec(), it].concat())
            .collect()
    }

    #[test]
    fn answers_find_their_questions_in_any_order() {
        let names = [
            "web-0.web.lab.svc.k8s.example.",
            "web-1.web.lab.svc.k8s.example.",
            "web.lab.svc.k8s.example.",
        ]
        .map(str::to_owned);
        let reply = |mut it: Message| {
            let of = it.queries[0].clone();
            let mut reply = Message::response(it.metadata.id, it.metadata.op_code);
            match (of.name.to_ascii().split('.').next(), of.query_type) {
                (Some("web-0"), hickory_proto::rr::RecordType::A) => {
                    reply.answers.push(Record::from_rdata(
                        Name::from_ascii("web-0.web.lab.svc.k8s.example.").unwrap(),
                        5,
                        RData::from("10.0.0.7".parse::<std::net::IpAddr>().unwrap()),
                    ));
                }
                (Some("web-1"), _) => reply.metadata.response_code = ResponseCode::NXDomain,
                (Some("web"), _) => reply.metadata.response_code = ResponseCode::ServFail,
                _ => {}
            }
            it.queries.clear();
            reply
        };
        let told = answers(&names, &sent(queries(&names).into_iter().map(reply).rev()));
        assert_eq!(told[0].1, Answer::Addresses(vec!["10.0.0.7".to_owned()]));
        assert_eq!(told[1].1, Answer::Nothing("NXDOMAIN".to_owned()));
        assert!(
            matches!(&told[2].1, Answer::Unanswered(why) if why.contains("Server Failure")),
            "{told:?}"
        );
    }

    #[test]
    fn an_address_is_asked_for_its_name() {
        let names = ["10.96.0.10".to_owned()];
        let [question] = queries(&names).try_into().unwrap();
        assert_eq!(question.queries[0].name.to_ascii(), "10.0.96.10.in-addr.arpa.");
        let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
        let name = Name::from_ascii("kube-dns.kube-system.svc.k8s.example.").unwrap();
        reply.answers.push(Record::from_rdata(
            question.queries[0].name.clone(),
            5,
            RData::PTR(PTR(name)),
        ));
        assert_eq!(
            answers(&names, &sent([reply]))[0].1,
            Answer::Name("kube-dns.kube-system.svc.k8s.example".to_owned())
        );
    }

    #[test]
    fn what_is_no_answer_says_nothing() {
        let names = ["web.".to_owned()];
        for bytes in [&b""[..], b"\0", b"\0\x0c", b"\0\x02ab", b"HTTP/1.1 400 Bad Request"] {
            assert!(matches!(&answers(&names, bytes)[0].1, Answer::Unanswered(_)));
        }
        assert_eq!(bytes_of(b"000cff0"), [0, 12, 255]);
        // Only that there is no IPv6 address has come, before the connection was cut.
        let [_, ipv6] = queries(&names).try_into().unwrap();
        let mut reply = Message::response(ipv6.metadata.id, ipv6.metadata.op_code);
        assert!(matches!(&answers(&names, &sent([reply.clone()]))[0].1, Answer::Unanswered(_)));
        reply.metadata.response_code = ResponseCode::NXDomain;
        assert!(matches!(&answers(&names, &sent([reply]))[0].1, Answer::Nothing(_)));
    }
}

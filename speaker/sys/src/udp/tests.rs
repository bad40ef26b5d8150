//! Between real sockets on the loopback interface, in both families.

use std::time::{Duration, Instant};

use socket2::SockRef;

use super::*;

const BOTH: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

const WILDCARDS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
];

/// A receiver on a port of the kernel's choice.
fn receiver(on: IpAddr) -> (Receiver, u16) {
    let receiver = Receiver::open(SocketAddr::new(on, 0), None).expect("opened");
    let port = receiver.local_address().expect("an address").port();
    (receiver, port)
}

fn wait(receiver: &Receiver, timeout: Duration) -> bool {
    let mut poll = Poll::default();
    poll.wait([receiver.as_fd()].into_iter(), Some(timeout))
        .expect("waited");
    poll.is_ready(0)
}

const LONG: Duration = Duration::from_secs(10);

#[test]
fn a_datagram_comes_with_its_hops_interface_and_both_addresses() {
    for (on, wildcard) in BOTH.into_iter().zip(WILDCARDS) {
        let (receiver, port) = receiver(wildcard);
        let to = SocketAddr::new(on, port);
        let sender = Sender::open(Some(on), 0, to, Device::new("lo").as_ref()).expect("opened");
        let from = sender.local_address().expect("an address");
        let before = SystemTime::now();
        sender.send(b"control packet").expect("sent");
        assert!(wait(&receiver, LONG));
        let mut buffer = [0; 64];
        let datagram = receiver.receive(&mut buffer).expect("received");
        let noted = datagram.and_then(|datagram| datagram.noted);
        assert!(noted.is_some_and(|noted| before <= noted && noted <= SystemTime::now()));
        assert_eq!(
            datagram,
            Some(Datagram {
                length: 14,
                source: from,
                destination: on,
                interface: InterfaceIndex::new(1).expect("lo"),
                hop_limit: 255,
                noted,
            })
        );
        assert_eq!(&buffer[..14], b"control packet");
        assert_eq!(receiver.receive(&mut buffer).expect("received"), None);
    }
}

#[test]
fn a_payload_is_cut_to_the_buffer() {
    let (receiver, port) = receiver(BOTH[0]);
    let to = SocketAddr::new(BOTH[0], port);
    let sender = Sender::open(None, 0, to, None).expect("opened");
    sender.send(&[7; 100]).expect("sent");
    assert!(wait(&receiver, LONG));
    let datagram = receiver.receive(&mut [0; 10]).expect("received");
    assert_eq!(datagram.map(|datagram| datagram.length), Some(10));
}

#[test]
fn datagrams_leave_with_every_hop_in_the_class_of_routing() {
    for on in BOTH {
        let sender = Sender::open(None, 0, SocketAddr::new(on, 9), None).expect("opened");
        let socket = SockRef::from(&sender.socket);
        let (class, hops) = if on.is_ipv4() {
            (socket.tos_v4(), socket.ttl_v4())
        } else {
            (socket.tclass_v6(), socket.unicast_hops_v6())
        };
        assert_eq!((class.expect("read"), hops.expect("read")), (0xc0, 255));
    }
}

#[test]
fn a_port_that_is_taken_is_said_with_what_to_do() {
    for on in BOTH {
        let (_taken, port) = receiver(on);
        let again = Receiver::open(SocketAddr::new(on, port), None).expect_err("taken");
        let said = again.to_string();
        assert!(
            said.contains(&format!("UDP port {port} is taken")),
            "{said}"
        );
        let to = SocketAddr::new(on, 9);
        let sender = Sender::open(Some(on), port, to, None).expect_err("taken");
        assert_eq!(sender.kind(), io::ErrorKind::AddrInUse);
    }
}

#[test]
fn both_families_have_the_same_port_and_a_device_its_own() {
    let (receiver, port) = receiver(WILDCARDS[0]);
    let v6 = Receiver::open(SocketAddr::new(WILDCARDS[1], port), None);
    assert!(v6.is_ok(), "{v6:?}");
    let on_lo = || {
        Receiver::open(
            SocketAddr::new(WILDCARDS[0], port),
            Device::new("lo").as_ref(),
        )
    };
    assert!(on_lo().is_err());
    receiver.share().expect("shared");
    on_lo().expect("opened beside");
}

#[test]
fn an_address_that_is_not_here_is_told_from_a_port_that_is_taken() {
    let nowhere: IpAddr = "192.0.2.77".parse().expect("an address");
    let to = SocketAddr::new(nowhere, 9);
    let error = Sender::open(Some(nowhere), 0, to, None).expect_err("not here");
    assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
}

#[test]
fn a_wait_ends_after_its_time_and_not_before() {
    sharpen_timers().expect("sharpened");
    shorten_slices().expect("shortened");
    let (receiver, _) = receiver(BOTH[0]);
    for micros in [0, 300, 2_500] {
        let time = Duration::from_micros(micros);
        let begun = Instant::now();
        assert!(!wait(&receiver, time));
        assert!(begun.elapsed() >= time);
    }
}

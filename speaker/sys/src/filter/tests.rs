use super::*;

/// What the kernel knows of a frame beside its bytes.
#[derive(Clone, Copy)]
struct Metadata {
    packet_type: u32,
    vlan_tag_present: u32,
}

const TO_ALL: Metadata = Metadata {
    packet_type: libc::PACKET_BROADCAST as u32,
    vlan_tag_present: 0,
};

/// Runs a program as the kernel does; the length that it keeps.
fn run(program: &[sock_filter], frame: &[u8], metadata: Metadata) -> u32 {
    let (mut accumulator, mut next) = (0_u32, 0_usize);
    loop {
        let instruction = program[next];
        next += 1;
        let code = u32::from(instruction.code);
        if code == libc::BPF_RET | libc::BPF_K {
            return instruction.k;
        } else if code == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K {
            let jump = if accumulator == instruction.k {
                instruction.jt
            } else {
                instruction.jf
            };
            next += usize::from(jump);
        } else if code == libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K {
            let jump = if accumulator > instruction.k {
                instruction.jt
            } else {
                instruction.jf
            };
            next += usize::from(jump);
        } else if instruction.k == PACKET_TYPE {
            accumulator = metadata.packet_type;
        } else if instruction.k == VLAN_TAG_PRESENT {
            accumulator = metadata.vlan_tag_present;
        } else {
            let width = match code & !(libc::BPF_LD | libc::BPF_ABS) {
                libc::BPF_B => 1,
                libc::BPF_H => 2,
                other => panic!("no such load: {other:#x}"),
            };
            let offset = instruction.k as usize;
            let Some(bytes) = frame.get(offset..offset + width) else {
                return 0;
            };
            accumulator = bytes
                .iter()
                .fold(0, |sum, &byte| sum << 8 | u32::from(byte));
        }
    }
}

fn arp_request() -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 1, 0x08, 0x06]);
    frame.extend([0, 1, 0x08, 0, 6, 4, 0, 1]);
    frame.extend([2, 0, 0, 0, 0, 1, 10, 99, 0, 1]);
    frame.extend([0, 0, 0, 0, 0, 0, 10, 99, 0, 200]);
    frame
}

fn neighbor_solicitation() -> Vec<u8> {
    let mut frame = vec![0x33, 0x33, 0xff, 0, 2, 0, 2, 0, 0, 0, 0, 1, 0x86, 0xdd];
    frame.extend([0x60, 0, 0, 0, 0, 24, 58, 255]);
    frame.extend([0; 32]); // source and destination
    frame.extend([135, 0, 0, 0, 0, 0, 0, 0]);
    frame.extend([0; 16]); // target
    frame
}

#[test]
fn passes_what_is_answered() {
    assert_eq!(run(&ARP, &arp_request(), TO_ALL), ARP_SNAP_LENGTH);
    assert_eq!(run(&NS, &neighbor_solicitation(), TO_ALL), NS_SNAP_LENGTH);
}

#[test]
fn passes_what_is_addressed_to_us_and_to_groups_only() {
    for (packet_type, passes) in [
        (libc::PACKET_HOST, true),
        (libc::PACKET_BROADCAST, true),
        (libc::PACKET_MULTICAST, true),
        (libc::PACKET_OTHERHOST, false),
        (libc::PACKET_OUTGOING, false),
    ] {
        let metadata = Metadata {
            packet_type: packet_type.into(),
            ..TO_ALL
        };
        assert_eq!(
            run(&ARP, &arp_request(), metadata) > 0,
            passes,
            "ARP, {packet_type}"
        );
        let kept = run(&NS, &neighbor_solicitation(), metadata);
        assert_eq!(kept > 0, passes, "NS, {packet_type}");
    }
}

#[test]
fn drops_frames_of_a_vlan() {
    let tagged = Metadata {
        vlan_tag_present: 1,
        ..TO_ALL
    };
    assert_eq!(run(&ARP, &arp_request(), tagged), 0);
    assert_eq!(run(&NS, &neighbor_solicitation(), tagged), 0);
}

#[test]
fn drops_other_arp() {
    for (offset, byte, what) in [
        (15, 6, "hardware type"),
        (16, 0x86, "protocol type"),
        (18, 8, "hardware length"),
        (19, 16, "protocol length"),
        (21, 2, "operation"),
    ] {
        let mut frame = arp_request();
        frame[offset] = byte;
        assert_eq!(run(&ARP, &frame, TO_ALL), 0, "{what}");
    }
}

#[test]
fn drops_other_ipv6() {
    for (offset, byte, what) in [
        (20, 6, "TCP"),
        (20, 0, "hop-by-hop options"),
        (54, 136, "neighbor advertisement"),
        (54, 128, "echo request"),
    ] {
        let mut frame = neighbor_solicitation();
        frame[offset] = byte;
        assert_eq!(run(&NS, &frame, TO_ALL), 0, "{what}");
    }
}

#[test]
fn drops_frames_that_end_before_what_is_tested() {
    for length in 0..22 {
        assert_eq!(
            run(&ARP, &arp_request()[..length], TO_ALL),
            0,
            "ARP of {length}"
        );
    }
    for length in 0..55 {
        assert_eq!(
            run(&NS, &neighbor_solicitation()[..length], TO_ALL),
            0,
            "NS of {length}"
        );
    }
}

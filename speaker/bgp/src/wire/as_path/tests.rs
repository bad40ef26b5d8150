use super::*;

fn segment(kind: SegmentKind, asns: &[u32]) -> Segment {
    Segment {
        kind,
        asns: asns.iter().copied().map(Asn).collect(),
    }
}

fn sequence(asns: &[u32]) -> AsPath {
    AsPath::sequence(asns.iter().copied().map(Asn).collect())
}

/// RFC 7606 §7.2.
#[test]
fn paths_that_cannot_be_read_are_none() {
    let malformed: [&[u8]; 7] = [
        &[0, 1, 0, 7],
        &[5, 1, 0, 7],
        &[2, 0],
        &[2, 1, 0],
        &[2, 2, 0, 7, 0],
        &[2, 1, 0, 7, 2],
        &[2, 1, 0, 7, 2, 0],
    ];
    for value in malformed {
        assert_eq!(AsPath::parse(value, Width::Two), None, "{value:?}");
    }
    assert_eq!(AsPath::parse(&[], Width::Two), Some(AsPath::default()));
}

/// RFC 7607 §2.
#[test]
fn a_path_with_as_zero_is_none() {
    assert_eq!(AsPath::parse(&[2, 2, 0, 7, 0, 0], Width::Two), None);
    assert_eq!(AsPath::parse(&[1, 1, 0, 0, 0, 0], Width::Four), None);
}

/// RFC 4271 §4.3 b: a segment has 255 numbers at most.
#[test]
fn a_long_sequence_is_written_in_several_segments() {
    let path = sequence(&[7; 600]);
    let mut value = Vec::new();
    path.write(Width::Two, &mut value);
    let read = AsPath::parse(&value, Width::Two).unwrap();
    let lengths: Vec<usize> = read.segments.iter().map(|one| one.asns.len()).collect();
    assert_eq!(lengths, [255, 255, 90]);
    assert!(read.asns().eq(path.asns()));
}

/// RFC 6793 §4.2.3: ASes that know two octets only are in front of AS4_PATH's.
#[test]
fn as4_path_replaces_the_tail_that_it_knows() {
    let short = sequence(&[7, 8, 23456, 23456]);
    let merged = short.merged(sequence(&[70_000, 80_000]));
    assert_eq!(
        merged.asns().map(|asn| asn.0).collect::<Vec<_>>(),
        [7, 8, 70_000, 80_000]
    );
    assert_eq!(
        sequence(&[23456]).merged(sequence(&[70_000])),
        sequence(&[70_000])
    );
}

/// RFC 6793 §4.2.3: an AS4_PATH that is longer than AS_PATH is ignored.
#[test]
fn an_as4_path_that_is_longer_is_not_believed() {
    let short = sequence(&[7]);
    assert_eq!(short.clone().merged(sequence(&[70_000, 80_000])), short);
}

/// RFC 6793 §4.2.3: a set counts as one, confederation segments in front stay.
#[test]
fn sets_count_once_and_leading_confederations_stay() {
    let confederation = segment(SegmentKind::ConfedSequence, &[65_001]);
    let path = AsPath {
        segments: vec![
            confederation.clone(),
            segment(SegmentKind::Set, &[1, 2, 3]),
            segment(SegmentKind::Sequence, &[7, 23456]),
        ],
    };
    let merged = path.merged(sequence(&[9, 70_000]));
    let expected = [
        confederation,
        segment(SegmentKind::Set, &[1, 2, 3]),
        segment(SegmentKind::Sequence, &[9, 70_000]),
    ];
    assert_eq!(merged.segments, expected);
}

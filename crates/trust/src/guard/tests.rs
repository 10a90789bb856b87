use std::sync::Arc;

use pith_testkit::entitled::{Client, EntitlementCa, Opens};

use super::*;
use crate::{Authority, PeerCertificate, Subject};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-06-01T00:00:00Z")
}

fn guard(authorities: &str) -> Guard {
    Guard::new(authorities, &RevocationLists::default()).unwrap()
}

/// A client that shows the certificates in these texts.
fn showing(pems: &[&str]) -> PeerCertificate {
    let all = pems.concat();
    let chain: Vec<_> = CertificateDer::pem_slice_iter(all.as_bytes())
        .collect::<Result<_, _>>()
        .unwrap();
    PeerCertificate::new(chain.into(), None)
}

fn client(ca: &EntitlementCa, client: &Client<'_>) -> String {
    ca.certify(client).unwrap().0
}

fn refused(peer: &PeerCertificate, guard: &Guard, at: Timestamp) -> Option<Refusal> {
    peer.admitted(guard, at).err()
}

#[test]
fn a_guard_lets_in_whom_its_authority_has_certified_and_as_far_as_the_certificate_says() {
    let ca = EntitlementCa::new("one").unwrap();
    let other = EntitlementCa::new("two").unwrap();
    // The same name is not the same authority.
    let namesake = EntitlementCa::new("one").unwrap();
    for opens in [
        Opens::Paths(&["/fedora/$releasever/os"]),
        Opens::Payload(&["/fedora/$releasever/os"]),
    ] {
        let peer = showing(&[&client(&ca, &Client::of("c", 7, opens))]);
        let entitlement = peer.admitted(&guard(&ca.pem()), now()).unwrap();
        assert!(entitlement.covers("fedora/43/os/repodata/repomd.xml"));
        assert!(!entitlement.covers("fedora/43/debug/repodata/repomd.xml"));
        for foreign in [&other, &namesake] {
            let refusal = refused(&peer, &guard(&foreign.pem()), now());
            assert_eq!(refusal, Some(Refusal::NotTrusted));
        }
        let both = guard(&[other.pem(), ca.pem()].concat());
        assert_eq!(refused(&peer, &both, now()), None);
    }
    let guard = guard(&ca.pem());
    assert_eq!(
        refused(&showing(&[]), &guard, now()),
        Some(Refusal::NoCertificate)
    );
    let junk = PeerCertificate::new(Arc::new([CertificateDer::from(vec![0x30, 0])]), None);
    assert_eq!(refused(&junk, &guard, now()), Some(Refusal::Unreadable));
    let own = client(&ca, &Client::of("c", 7, Opens::Paths(&["/"])));
    let many = vec![own.as_str(); MOST_SENT + 1];
    assert_eq!(
        refused(&showing(&many), &guard, now()),
        Some(Refusal::Unreadable)
    );
    assert_eq!(
        refused(&showing(&[&own]), &Guard::closed(), now()),
        Some(Refusal::NotTrusted)
    );
}

#[test]
fn a_certificate_without_an_entitlement_that_can_be_read_opens_nothing() {
    let ca = EntitlementCa::new("one").unwrap();
    let guard = guard(&ca.pem());
    for opens in [
        Opens::Raw("3.0", b"junk"),
        Opens::Raw("2.0", b""),
        Opens::Raw("", b""),
    ] {
        let peer = showing(&[&client(&ca, &Client::of("c", 7, opens))]);
        let refusal = refused(&peer, &guard, now());
        assert_eq!(refusal, Some(Refusal::NoEntitlement), "{opens:?}");
    }
    let plain = showing(&[&client(&ca, &Client::of("c", 7, Opens::Nothing))]);
    assert!(!plain.admitted(&guard, now()).unwrap().covers("a"));
}

#[test]
fn certificates_count_for_their_time_those_of_the_authorities_too() {
    let ca = EntitlementCa::valid("one", (2020, 2027)).unwrap();
    let guard = guard(&ca.pem());
    let mut wanted = Client::of("c", 7, Opens::Paths(&["/a"]));
    wanted.years = (2026, 2030);
    let peer = showing(&[&client(&ca, &wanted)]);
    let early = at("2025-12-31T23:59:59Z");
    assert_eq!(refused(&peer, &guard, early), Some(Refusal::NotTrusted));
    // A refusal is not remembered for long, and not for a clock that was put back.
    assert_eq!(refused(&peer, &guard, at("2026-01-01T00:01:00Z")), None);
    assert_eq!(refused(&peer, &guard, early), Some(Refusal::NotTrusted));
    assert_eq!(refused(&peer, &guard, at("2027-12-31T00:00:00Z")), None);
    // The client's own goes on, that of the authority has ended.
    let late = at("2027-12-31T00:00:01Z");
    assert_eq!(refused(&peer, &guard, late), Some(Refusal::NotTrusted));
}

#[test]
fn revoked_certificates_are_refused_by_any_list_and_lists_of_others_revoke_nothing() {
    let ca = EntitlementCa::new("one").unwrap();
    let other = EntitlementCa::new("two").unwrap();
    let client = |serial| {
        showing(&[&client(
            &ca,
            &Client::of("c", serial, Opens::Paths(&["/a"])),
        )])
    };
    let (good, bad, worse) = (client(7), client(8), client(9));
    let lists = |pems: &[String]| RevocationLists::from_pem(&pems.concat()).unwrap();
    let bundle = [ca.pem(), ca.revoke(&[8]).unwrap()].concat();
    let of_server = lists(&[other.revoke(&[7]).unwrap(), ca.revoke(&[9]).unwrap()]);
    let with_both = Guard::new(&bundle, &of_server).unwrap();
    assert_eq!(refused(&good, &with_both, now()), None);
    for revoked in [&bad, &worse] {
        let refusal = refused(revoked, &with_both, now());
        assert_eq!(refusal, Some(Refusal::NotTrusted));
    }
    // The same connection, once the list is another.
    let before = guard(&bundle);
    assert_eq!(refused(&worse, &before, now()), None);
    assert_eq!(refused(&bad, &guard(&ca.pem()), now()), None);
    // A list that another has signed in the name of the authority makes none of it count.
    let forged = EntitlementCa::new("one").unwrap().revoke(&[]).unwrap();
    let with_forged = Guard::new(&ca.pem(), &lists(&[forged])).unwrap();
    assert_eq!(
        refused(&good, &with_forged, now()),
        Some(Refusal::NotTrusted)
    );
}

#[test]
fn authorities_in_between_may_stand_in_the_guard_or_be_shown() {
    let root = EntitlementCa::new("root").unwrap();
    let between = root.below("between", 3).unwrap();
    let own = client(&between, &Client::of("c", 7, Opens::Paths(&["/a"])));
    let both = [between.pem(), root.pem()].concat();
    assert_eq!(refused(&showing(&[&own]), &guard(&both), now()), None);
    let shown = showing(&[&own, &between.pem()]);
    assert_eq!(refused(&shown, &guard(&root.pem()), now()), None);
    let alone = showing(&[&own]);
    assert_eq!(
        refused(&alone, &guard(&root.pem()), now()),
        Some(Refusal::NotTrusted)
    );
    // One that stands alone is trusted as it is; the one above it is none of the guard's.
    assert_eq!(refused(&alone, &guard(&between.pem()), now()), None);
    let of_root = showing(&[&client(&root, &Client::of("c", 7, Opens::Paths(&["/a"])))]);
    assert_eq!(
        refused(&of_root, &guard(&between.pem()), now()),
        Some(Refusal::NotTrusted)
    );
    // With its own authority there, it is not: so it can be revoked.
    let revoked = [both, root.revoke(&[3]).unwrap()].concat();
    assert_eq!(
        refused(&alone, &guard(&revoked), now()),
        Some(Refusal::NotTrusted)
    );
    // A client is no authority.
    let below = showing(&[
        &own,
        &client(&root, &Client::of("between", 8, Opens::Nothing)),
    ]);
    assert_eq!(
        refused(&below, &guard(&root.pem()), now()),
        Some(Refusal::NotTrusted)
    );
}

#[test]
fn the_authority_of_logins_and_guards_do_not_know_each_other() {
    let ca = EntitlementCa::new("one").unwrap();
    let logins = Authority::generate(&[], now()).unwrap();
    let issued = logins
        .issue_client(&Subject::user("admin", "ff"), now(), 7)
        .unwrap();
    let login = showing(&[&issued.certificate]);
    assert_eq!(
        refused(&login, &guard(&ca.pem()), now()),
        Some(Refusal::NotTrusted)
    );
    let forged = client(&ca, &Client::of("admin:admin:ff", 7, Opens::Paths(&["/"])));
    let forged: Vec<_> = CertificateDer::pem_slice_iter(forged.as_bytes())
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(logins.verify_client(&forged, now()), None);
}

#[test]
fn authorities_that_cannot_be_read_make_no_guard() {
    let ca = EntitlementCa::new("one").unwrap();
    let none = RevocationLists::default();
    let broken = "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n";
    let list = "-----BEGIN X509 CRL-----\nMAAA\n-----END X509 CRL-----\n";
    for bad in [
        String::new(),
        "junk".to_owned(),
        broken.to_owned(),
        [ca.pem(), broken.to_owned()].concat(),
        [ca.pem(), list.to_owned()].concat(),
        ca.pem().repeat(MOST_AUTHORITIES + 1),
        [ca.pem(), "#".repeat(MOST_TEXT)].concat(),
    ] {
        assert!(Guard::new(&bad, &none).is_err(), "{:.60}", bad);
    }
    assert!(RevocationLists::from_pem(list).is_err());
    assert!(RevocationLists::from_pem(&ca.pem()).unwrap().is_empty());
}

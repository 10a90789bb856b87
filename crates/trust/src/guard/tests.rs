use std::sync::Arc;

use pith_testkit::entitled::{Client, EntitlementCa, Opens};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};

use rustls::pki_types::pem::PemObject;

use super::authorities::{MOST_AUTHORITIES, MOST_LISTS, MOST_NAMESAKES, MOST_TEXT};
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

fn refused(peer: &PeerCertificate, guard: &Guard, at: Timestamp) -> Option<GuardRefusal> {
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
            assert_eq!(refusal, Some(GuardRefusal::NotTrusted));
        }
        let both = guard(&[other.pem(), ca.pem()].concat());
        assert_eq!(refused(&peer, &both, now()), None);
    }
    let guard = guard(&ca.pem());
    assert_eq!(
        refused(&showing(&[]), &guard, now()),
        Some(GuardRefusal::NoCertificate)
    );
    let junk = PeerCertificate::new(Arc::new([CertificateDer::from(vec![0x30, 0])]), None);
    assert_eq!(
        refused(&junk, &guard, now()),
        Some(GuardRefusal::Unreadable)
    );
    let own = client(&ca, &Client::of("c", 7, Opens::Paths(&["/"])));
    let many = vec![own.as_str(); MOST_SENT + 1];
    assert_eq!(
        refused(&showing(&many), &guard, now()),
        Some(GuardRefusal::Unreadable)
    );
    assert_eq!(
        refused(&showing(&[&own]), &Guard::closed(), now()),
        Some(GuardRefusal::NotTrusted)
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
        assert_eq!(refusal, Some(GuardRefusal::NoEntitlement), "{opens:?}");
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
    assert_eq!(
        refused(&peer, &guard, early),
        Some(GuardRefusal::NotTrusted)
    );
    // A refusal is not remembered for long, and not for a clock that was put back.
    assert_eq!(refused(&peer, &guard, at("2026-01-01T00:01:00Z")), None);
    assert_eq!(
        refused(&peer, &guard, early),
        Some(GuardRefusal::NotTrusted)
    );
    assert_eq!(refused(&peer, &guard, at("2027-12-31T00:00:00Z")), None);
    // The client's own goes on, that of the authority has ended.
    let late = at("2027-12-31T00:00:01Z");
    assert_eq!(refused(&peer, &guard, late), Some(GuardRefusal::NotTrusted));
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
        assert_eq!(refusal, Some(GuardRefusal::NotTrusted));
    }
    // The same connection, once the list is another.
    let before = guard(&bundle);
    assert_eq!(refused(&worse, &before, now()), None);
    assert_eq!(refused(&bad, &guard(&ca.pem()), now()), None);
    // The same guard, once the server's lists are others, and a guard of the server's lists alone.
    let none = RevocationLists::default();
    assert_eq!(refused(&worse, &with_both.with_revoked(&none), now()), None);
    let of_server = before.with_revoked(&of_server);
    let refusal = refused(&worse, &of_server, now());
    assert_eq!(refusal, Some(GuardRefusal::NotTrusted));
}

#[test]
fn a_list_counts_for_the_authority_whose_key_signed_it() {
    // An authority that was renewed with another key.
    let (old, new) = (
        EntitlementCa::new("one").unwrap(),
        EntitlementCa::new("one").unwrap(),
    );
    let of = |ca, serial| showing(&[&client(ca, &Client::of("c", serial, Opens::Paths(&["/a"])))]);
    let (lists, both) = (
        [old.revoke(&[7]).unwrap(), new.revoke(&[8]).unwrap()].concat(),
        [old.pem(), new.pem()].concat(),
    );
    let of_setting = guard(&[both.clone(), lists.clone()].concat());
    let of_server = RevocationLists::from_pem(&lists).unwrap();
    let of_server = Guard::new(&both, &of_server).unwrap();
    for guard in [of_setting, of_server] {
        for (ca, good, bad) in [(&old, 8, 7), (&new, 7, 8)] {
            assert_eq!(refused(&of(ca, good), &guard, now()), None);
            let refusal = refused(&of(ca, bad), &guard, now());
            assert_eq!(refusal, Some(GuardRefusal::NotTrusted));
        }
    }
    // One that a stranger signed in the name of the authority is none of a setting, and in the server's file it is of the stranger.
    let forged = EntitlementCa::new("one").unwrap().revoke(&[7]).unwrap();
    let none = RevocationLists::default();
    assert!(Guard::new(&[old.pem(), forged.clone()].concat(), &none).is_err());
    let forged = RevocationLists::from_pem(&forged).unwrap();
    let guard = Guard::new(&old.pem(), &forged).unwrap();
    assert_eq!(refused(&of(&old, 7), &guard, now()), None);
}

#[test]
fn many_authorities_and_long_lists_cost_neither_memory_nor_signatures() {
    // As many of one name as there may be, and others.
    let named = |at: usize| match at {
        0..MOST_NAMESAKES => "one".to_owned(),
        _ => format!("other {at}"),
    };
    let authorities: Vec<_> = (0..MOST_AUTHORITIES)
        .map(|at| EntitlementCa::new(&named(at)).unwrap())
        .collect();
    let text: String = authorities.iter().map(EntitlementCa::pem).collect();
    let serials: Vec<u64> = (100..10_000).collect();
    let list = authorities[0].revoke(&serials).unwrap();
    let of_server = RevocationLists::from_pem(&list).unwrap();
    let of_all = Guard::new(&text, &of_server).unwrap();
    // The list is the server's, once for all guards and authorities.
    assert!(of_all.bytes() < list.len());
    let of_setting = guard(&[authorities[0].pem(), list.repeat(2)].concat());
    assert!(of_setting.bytes() < 3 * list.len());
    let of = |ca, serial| showing(&[&client(ca, &Client::of("c", serial, Opens::Paths(&["/a"])))]);
    assert_eq!(refused(&of(&authorities[0], 7), &of_all, now()), None);
    let revoked = refused(&of(&authorities[0], 100), &of_all, now());
    assert_eq!(revoked, Some(GuardRefusal::NotTrusted));
    // Of those of one name each is tried.
    let last = &authorities[MOST_NAMESAKES - 1];
    assert_eq!(refused(&of(last, 7), &of_all, now()), None);
    let namesakes: String = (0..=MOST_NAMESAKES)
        .map(|_| EntitlementCa::new("one").unwrap().pem())
        .collect();
    let error = Guard::new(&namesakes, &of_server).unwrap_err().to_string();
    assert!(error.contains("have one name"), "{error}");
    // More lists than that stand in no setting.
    let lists = authorities[0].revoke(&[]).unwrap().repeat(MOST_LISTS + 1);
    let text = [authorities[0].pem(), lists].concat();
    assert!(Guard::new(&text, &of_server).is_err());
}

#[test]
fn what_is_no_authority_makes_no_guard() {
    let root = EntitlementCa::new("root").unwrap();
    let none = RevocationLists::default();
    let own = client(&root, &Client::of("c", 7, Opens::Paths(&["/a"])));
    let of_kind = |change: &dyn Fn(&mut CertificateParams)| {
        EntitlementCa::with("other", change).unwrap().pem()
    };
    for bad in [
        own.clone(),
        of_kind(&|params| params.is_ca = IsCa::ExplicitNoCa),
        of_kind(&|params| params.is_ca = IsCa::NoCa),
        of_kind(&|params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature]),
    ] {
        for text in [bad.clone(), [root.pem(), bad].concat()] {
            let error = Guard::new(&text, &none).unwrap_err().to_string();
            assert!(error.contains("none of an authority"), "{error}");
        }
    }
    let of_servers = of_kind(&|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    assert!(Guard::new(&of_servers, &none).is_err());
    // Without a keyUsage it may do all.
    guard(&of_kind(&|params| params.key_usages = Vec::new()));
}

#[test]
fn who_may_sign_no_certificates_vouches_for_nobody_when_a_client_shows_them() {
    let root = EntitlementCa::new("root").unwrap();
    let between = EntitlementCa::with("between", |params| {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    });
    let between = between.unwrap();
    let own = client(&between, &Client::of("c", 7, Opens::Paths(&["/a"])));
    let shown = showing(&[&own, &root.vouch(&between).unwrap()]);
    let refusal = refused(&shown, &guard(&root.pem()), now());
    assert_eq!(refusal, Some(GuardRefusal::NotTrusted));
}

#[test]
fn a_list_that_writes_the_name_of_its_authority_in_another_way_is_refused() {
    let ca = EntitlementCa::new("The  One").unwrap();
    let namesake = ca.renamed("the one").unwrap();
    let none = RevocationLists::default();
    guard(&[ca.pem(), ca.revoke(&[7]).unwrap()].concat());
    let text = [ca.pem(), namesake.revoke(&[7]).unwrap()].concat();
    let error = Guard::new(&text, &none).unwrap_err().to_string();
    assert!(error.contains("another way"), "{error}");
}

#[test]
fn an_authority_whose_signatures_cannot_be_checked_is_refused() {
    // An RSA key of 1024 bits.
    let text = include_str!("../../tests/short-key.pem");
    let error = Guard::new(text, &RevocationLists::default()).unwrap_err();
    assert!(error.to_string().contains("RSA key"), "{error}");
}

#[test]
fn an_authority_vouches_for_as_many_below_it_as_it_says() {
    let root = EntitlementCa::with("root", |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    })
    .unwrap();
    let wanted = Client::of("c", 7, Opens::Paths(&["/a"]));
    let guard = guard(&root.pem());
    assert_eq!(
        refused(&showing(&[&client(&root, &wanted)]), &guard, now()),
        None
    );
    let between = root.below("between", 3).unwrap();
    let below = showing(&[&client(&between, &wanted), &between.pem()]);
    assert_eq!(
        refused(&below, &guard, now()),
        Some(GuardRefusal::NotTrusted)
    );
}

#[test]
fn authorities_are_in_between_when_another_has_signed_them_not_when_it_has_that_name() {
    let (real, fake) = (
        EntitlementCa::new("root").unwrap(),
        EntitlementCa::new("root").unwrap(),
    );
    let between = real.below("between", 3).unwrap();
    let own = client(&between, &Client::of("c", 7, Opens::Paths(&["/a"])));
    let with_fake = guard(&[between.pem(), fake.pem()].concat());
    assert_eq!(refused(&showing(&[&own]), &with_fake, now()), None);
    // Two that have only signed each other lead nowhere, alone or beside a third.
    let (one, two) = (
        EntitlementCa::new("one").unwrap(),
        EntitlementCa::new("two").unwrap(),
    );
    let crossed = [one.vouch(&two).unwrap(), two.vouch(&one).unwrap()].concat();
    let none = RevocationLists::default();
    for text in [crossed.clone(), [real.pem(), crossed.clone()].concat()] {
        let error = Guard::new(&text, &none).unwrap_err().to_string();
        assert!(error.contains("signed each other"), "{error}");
    }
    let own = client(&two, &Client::of("c", 7, Opens::Paths(&["/a"])));
    let whole = guard(&[one.pem(), crossed].concat());
    assert_eq!(refused(&showing(&[&own]), &whole, now()), None);
}

#[test]
fn what_a_client_shows_of_one_name_is_not_tried_in_every_order() {
    let root = EntitlementCa::new("one").unwrap();
    let guard = guard(&root.pem());
    let namesakes: Vec<_> = (1..MOST_SENT)
        .map(|_| EntitlementCa::new("one").unwrap())
        .collect();
    let wanted = Client::of("c", 7, Opens::Paths(&["/a"]));
    let mut shown: Vec<String> = namesakes.iter().map(EntitlementCa::pem).collect();
    shown.insert(0, client(&root, &wanted));
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    assert_eq!(refused(&showing(&shown), &guard, now()), None);
    // A way that is too long leads nowhere.
    let crossed: Vec<String> = (1..namesakes.len())
        .map(|at| namesakes[at - 1].vouch(&namesakes[at]).unwrap())
        .collect();
    let own = client(&namesakes[namesakes.len() - 1], &wanted);
    let shown: Vec<&str> = std::iter::once(&own)
        .chain(&crossed)
        .map(String::as_str)
        .collect();
    let refusal = refused(&showing(&shown), &guard, now());
    assert_eq!(refusal, Some(GuardRefusal::NotTrusted));
}

#[test]
fn lists_of_a_part_are_not_read() {
    let ca = EntitlementCa::new("one").unwrap();
    let part = ca.revoke_since(&[7]).unwrap();
    assert!(RevocationLists::from_pem(&part).is_err());
    let none = RevocationLists::default();
    assert!(Guard::new(&[ca.pem(), part].concat(), &none).is_err());
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
        Some(GuardRefusal::NotTrusted)
    );
    // One that stands alone is trusted as it is; the one above it is none of the guard's.
    assert_eq!(refused(&alone, &guard(&between.pem()), now()), None);
    let of_root = showing(&[&client(&root, &Client::of("c", 7, Opens::Paths(&["/a"])))]);
    assert_eq!(
        refused(&of_root, &guard(&between.pem()), now()),
        Some(GuardRefusal::NotTrusted)
    );
    // With its own authority there, it is not: so it can be revoked.
    let revoked = [both, root.revoke(&[3]).unwrap()].concat();
    assert_eq!(
        refused(&alone, &guard(&revoked), now()),
        Some(GuardRefusal::NotTrusted)
    );
    // A client is no authority.
    let below = showing(&[
        &own,
        &client(&root, &Client::of("between", 8, Opens::Nothing)),
    ]);
    assert_eq!(
        refused(&below, &guard(&root.pem()), now()),
        Some(GuardRefusal::NotTrusted)
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
        Some(GuardRefusal::NotTrusted)
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
        assert!(Guard::new(&bad, &none).is_err(), "{bad:.60}");
    }
    assert!(RevocationLists::from_pem(list).is_err());
    assert!(RevocationLists::from_pem(&ca.pem()).unwrap().is_empty());
}

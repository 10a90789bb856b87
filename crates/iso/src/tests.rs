use jiff::Timestamp;

use crate::{Error, File, Image, split};

fn file(path: impl Into<String>, size: u64) -> File {
    File {
        path: path.into(),
        size,
        modified: Timestamp::UNIX_EPOCH,
    }
}

fn written(image: &Image) -> Vec<u8> {
    let mut out = Vec::new();
    let sizes: Vec<u64> = image.files().iter().map(|file| file.size).collect();
    let content = |place: usize, out: &mut dyn std::io::Write| {
        let size = usize::try_from(sizes[place]).unwrap();
        out.write_all(&vec![b'x'; size])
    };
    image.write(&mut out, content).unwrap();
    out
}

#[test]
fn an_image_has_the_size_that_was_planned_and_no_record_crosses_a_sector() {
    let names = (0..500).map(|at| format!("Packages/{}-{at}.rpm", "n".repeat(at % 240)));
    let files: Vec<File> = names.map(|path| file(path, 10)).collect();
    let image = Image::plan("zoo", files, Timestamp::UNIX_EPOCH).unwrap();
    let bytes = written(&image);
    assert_eq!(bytes.len() as u64, image.size());
    for hierarchy in [&image.primary, &image.joliet] {
        for id in 0..image.folders.len() {
            let start = hierarchy.starts[id] as usize * 2048;
            let records = &bytes[start..start + hierarchy.sizes[id] as usize];
            let mut found = 0;
            for sector in records.chunks(2048) {
                let mut at = 0;
                while at < sector.len() && sector[at] > 0 {
                    at += sector[at] as usize;
                    found += 1;
                }
                assert!(at <= sector.len());
            }
            assert_eq!(found, image.folders[id].nodes.len() + 2);
        }
    }
}

#[test]
fn images_of_a_split_are_no_larger_than_they_may_be() {
    let limit = 1 << 20;
    let files = (0..400).map(|at| file(format!("d{at}/{}", "n".repeat(200)), at * 50));
    let images = split(files, limit).unwrap();
    assert!(images.len() > 1);
    let mut count = 0;
    for files in images {
        count += files.len();
        let image = Image::plan("zoo", files, Timestamp::UNIX_EPOCH).unwrap();
        assert!(image.size() <= limit, "{}", image.size());
    }
    assert_eq!(count, 400);
    let large = split([file("a", 1), file("large", limit)], limit).unwrap_err();
    assert!(matches!(large, Error::TooLarge { path, .. } if path == "large"));
    assert_eq!(split([], limit), Ok(Vec::new()));
}

#[test]
fn a_file_that_is_longer_or_shorter_than_planned_is_an_error() {
    let image = Image::plan("zoo", vec![file("a", 3)], Timestamp::UNIX_EPOCH).unwrap();
    let short = image.write(&mut std::io::sink(), |_, out| out.write_all(b"xx"));
    assert!(short.unwrap_err().to_string().contains("'a'"));
}

#[test]
fn a_path_that_is_there_twice_is_refused() {
    for paths in [["a", "a"], ["a", "a/b"], ["a/b", "a"]] {
        let files = paths.map(|path| file(path, 0)).to_vec();
        let planned = Image::plan("zoo", files, Timestamp::UNIX_EPOCH);
        assert!(matches!(planned, Err(Error::Twice(_))), "{paths:?}");
    }
}

#[test]
fn a_file_of_more_than_four_gibibytes_has_several_pieces() {
    let large = file("large", (4 << 30) + 1);
    let image = Image::plan("zoo", vec![large, file("z", 1)], Timestamp::UNIX_EPOCH).unwrap();
    let gap = u64::from(image.starts[1] - image.starts[0]);
    assert_eq!(gap * 2048, (4 << 30) + 2048);
    let folder = image
        .primary
        .folder(0, &image.folders, (&image.files, &image.starts));
    let records = folder.records;
    let mut at = 0;
    let mut flags = Vec::new();
    while records[at] > 0 {
        flags.push(records[at + 25]);
        at += records[at] as usize;
    }
    assert_eq!(flags, [2, 2, 0x80, 0, 0]);
}

//! Paths: of requests, of documents, and of what is joined to a feed. None leaves its folder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pith_content::base::Base;
use pith_core::RelativePath;
use pith_serve::path::RequestPath;
use pith_type_rpm::metadata::href;

fn require_inside(path: &str) {
    assert!(!path.starts_with('/') && !path.contains(['\\', '\0']), "{path:?}");
    assert!(path.split('/').all(|segment| !matches!(segment, "." | "..")), "{path:?}");
}

fuzz_target!(|text: &str| {
    if let Ok(path) = text.parse::<RelativePath>() {
        require_inside(path.as_str());
    }
    if let Ok(request) = RequestPath::parse(text) {
        require_inside(&request.path);
    }
    let _ = href::read(text, || "name".to_owned());
    if let Ok(base) = Base::parse("https://feed.example/a/b/") {
        for url in base.join(text) {
            let _ = base.follow(&base.keep(&url));
        }
    }
    let _ = Base::parse(text);
});

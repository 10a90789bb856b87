//! The names of this machine.

use crate::options::ServerOptions;

/// The name of the machine, as it calls itself.
pub(crate) fn host_name() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name
    }
}

/// The names by which clients may reach this machine.
pub(crate) fn names(options: &ServerOptions) -> Vec<String> {
    let mut names = options.tls_names.clone();
    let listen = [Some(options.listen), options.tls_address()];
    let addresses = listen
        .into_iter()
        .flatten()
        .map(|address| address.ip())
        .filter(|address| !address.is_unspecified())
        .map(|address| address.to_string());
    let own = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    for name in [host_name()].into_iter().chain(own).chain(addresses) {
        // A host may be called what no certificate can say.
        let fits = name.is_ascii() && !name.contains(['_', ' ']);
        if fits && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

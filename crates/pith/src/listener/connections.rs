//! All connections: how many there may be, and which are given up for others.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use pith_core::Network;
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, Use};
use super::unread::Sum;

/// The part of all connections that one network may have.
const PART: usize = 4;
/// The part of all connections that may be of HTTP/2, which takes tens of KB for each, used or not: its clients need few.
const PART_OF_HTTP2: usize = 2;
/// Requests beyond those that there may be, for which one connection goes.
const OVER: usize = 16;
/// The time between two looks at all connections.
const LOOK: Duration = Duration::from_secs(1);

/// The connections of all listeners.
pub(crate) struct Connections {
    most: usize,
    patience: Duration,
    all: Mutex<All>,
    /// Requests that are not answered to the end.
    requests: AtomicUsize,
    unread: Sum,
}

#[derive(Default)]
struct All {
    next: u64,
    open: HashMap<u64, Arc<Connection>>,
    by_network: HashMap<Network, usize>,
    /// Those that have sent a request of HTTP/2.
    http2: usize,
}

/// The figures of all connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionFigures {
    /// Connections that there may be.
    pub(crate) most: usize,
    pub(crate) open: usize,
    /// Those of them that have sent a request of HTTP/2.
    pub(crate) http2: usize,
    /// Requests that are not answered to the end.
    pub(crate) requests: usize,
}

/// A connection's place, given back when it is dropped.
pub(super) struct ConnectionPlace {
    connections: Arc<Connections>,
    pub(super) connection: Arc<Connection>,
    id: u64,
}

/// A request that counts until it is answered to the end.
pub(super) struct OpenRequest {
    connections: Arc<Connections>,
    connection: Arc<Connection>,
}

impl Connections {
    /// No connection, of `most`; a client has `patience` for the head of a request, and for each so many bytes.
    pub(crate) fn new(most: usize, patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            most,
            patience,
            all: Mutex::default(),
            requests: AtomicUsize::new(0),
            unread: Sum::default(),
        })
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// The figures at this moment.
    pub(crate) fn figures(&self) -> ConnectionFigures {
        let all = self.all.lock();
        ConnectionFigures {
            most: self.most,
            open: all.open.len(),
            http2: all.http2,
            requests: self.requests.load(Ordering::Relaxed),
        }
    }

    /// A place for a connection of this network; `None` is for proxies. What is used least is given up for it when all are taken;
    /// `None` when all are in use.
    pub(super) fn admit(self: &Arc<Self>, network: Option<Network>) -> Option<ConnectionPlace> {
        let mut all = self.all.lock();
        if let Some(network) = network
            && all.count(network) >= (self.most / PART).max(1)
        {
            all.give_up_one(|connection| connection.network == Some(network))?;
        }
        if all.open.len() >= self.most {
            all.give_up_one(|_| true)?;
        }
        let connection = Arc::new(Connection::new(network, self.unread.clone()));
        let id = all.next;
        all.next += 1;
        all.open.insert(id, Arc::clone(&connection));
        if let Some(network) = network {
            *all.by_network.entry(network).or_default() += 1;
        }
        Some(ConnectionPlace {
            connections: Arc::clone(self),
            connection,
            id,
        })
    }

    /// Counts bytes that came from a client. When too many of all wait to be read, the connection with most of them goes.
    fn came(&self, connection: &Connection, bytes: usize) {
        connection.unread.came(bytes, connection.is_headless());
        while self.unread.is_too_much() && self.all.lock().give_up_fullest().is_some() {}
    }

    /// Gives up one connection, whosever.
    pub(super) fn make_room(&self) {
        let _ = self.all.lock().give_up_one(|_| true);
    }

    /// Counts a request whose head has come. When there are too many, the connection with the most of them goes.
    pub(super) fn begin(self: &Arc<Self>, connection: &Arc<Connection>) -> OpenRequest {
        connection.begin();
        let open = self.requests.fetch_add(1, Ordering::Relaxed);
        // HTTP/1 has one for each connection; HTTP/2 carries many at once, and has what is left.
        let most = self.most;
        // Looking at all connections for each request of a flood would be a flood of its own.
        if open >= most && (open - most).is_multiple_of(OVER) {
            self.all.lock().give_up_busiest(most);
        }
        OpenRequest {
            connections: Arc::clone(self),
            connection: Arc::clone(connection),
        }
    }

    /// Lets go of clients that do not keep up, until `shutdown` fires.
    pub(crate) async fn watch(self: Arc<Self>, shutdown: CancellationToken) {
        while shutdown
            .run_until_cancelled(tokio::time::sleep(LOOK))
            .await
            .is_some()
        {
            let open: Vec<_> = self.all.lock().open.values().cloned().collect();
            for connection in open {
                if let Some(why) = connection.look(self.patience) {
                    let network = connection.network.map(|network| network.to_string());
                    tracing::debug!(network, why, "a client is let go");
                    connection.cut();
                }
            }
        }
    }
}

impl All {
    fn count(&self, network: Network) -> usize {
        self.by_network.get(&network).copied().unwrap_or(0)
    }

    fn remove(&mut self, id: u64) {
        let Some(gone) = self.open.remove(&id) else {
            return;
        };
        self.http2 -= usize::from(gone.is_http2());
        let Some(network) = gone.network else { return };
        if let Some(count) = self.by_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.by_network.remove(&network);
            }
        }
    }

    /// Counts a connection as one of HTTP/2. When there are more than `most` of those, the one goes that is used least, or this one.
    fn count_http2(&mut self, id: u64, most: usize) {
        let Some(connection) = self.open.get(&id) else {
            return;
        };
        connection.is_http2.store(true, Ordering::Relaxed);
        self.http2 += 1;
        if self.http2 > most && self.give_up_one(Connection::is_http2).is_none() {
            self.end(id);
        }
    }

    /// Ends one connection that is not in use, of those who have most and for the longest time.
    fn give_up_one(&mut self, may_go: impl Fn(&Connection) -> bool) -> Option<()> {
        let candidates = self.open.iter().filter(|(_, one)| may_go(one));
        let judged = candidates.map(|(id, one)| {
            let (kind, time) = one.used();
            let neighbours = one.network.map_or(0, |network| self.count(network));
            (kind, neighbours, time, *id)
        });
        let (_, _, _, id) = judged.filter(|(kind, ..)| *kind != Use::Busy).max()?;
        self.end(id)
    }

    /// Ends the connection with the most requests, when there are `most`. Requests of connections that were ended no longer
    /// count, though they may take a moment to go.
    fn give_up_busiest(&mut self, most: usize) -> Option<()> {
        let judged = self.open.iter().map(|(id, one)| (one.open(), *id));
        let (sum, busiest) = judged.fold((0, None), |(sum, busiest), one| {
            (sum + one.0, busiest.max(Some(one)))
        });
        let (_, id) = busiest.filter(|_| sum >= most)?;
        self.end(id)
    }

    /// Ends the connection with the most unread bytes, of the network with most.
    fn give_up_fullest(&mut self) -> Option<()> {
        let mut by_network: HashMap<Option<Network>, usize> = HashMap::new();
        for connection in self.open.values() {
            *by_network.entry(connection.network).or_default() += connection.unread.bytes();
        }
        let judged = self.open.iter().map(|(id, connection)| {
            let of_network = by_network.get(&connection.network).copied().unwrap_or(0);
            (of_network, connection.unread.bytes(), *id)
        });
        let (_, _, id) = judged.filter(|(_, bytes, _)| *bytes > 0).max()?;
        // It counts no longer, though it may take a moment to go.
        self.open.get(&id)?.unread.clear();
        self.end(id)
    }

    fn end(&mut self, id: u64) -> Option<()> {
        // Its task is named in a moment when it is not yet.
        self.open.get(&id)?.cut().then_some(())?;
        self.remove(id);
        Some(())
    }
}

impl ConnectionPlace {
    /// Counts bytes that came from the client.
    pub(super) fn came(&self, bytes: usize) {
        if bytes > 0 {
            self.connections.came(&self.connection, bytes);
        }
    }

    /// Counts a request of this connection.
    pub(super) fn begin(&self) -> OpenRequest {
        self.connections.begin(&self.connection)
    }

    /// Notes that the connection is one of HTTP/2: see [`PART_OF_HTTP2`].
    pub(super) fn speaks_http2(&self) {
        if !self.connection.is_http2() {
            let most = (self.connections.most / PART_OF_HTTP2).max(1);
            self.connections.all.lock().count_http2(self.id, most);
        }
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.connections.all.lock().remove(self.id);
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.connections.requests.fetch_sub(1, Ordering::Relaxed);
        self.connection.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(last: u8) -> Option<Network> {
        Some(Network::of([192, 0, 2, last].into()))
    }

    /// A connection that somebody serves.
    fn served(connections: &Arc<Connections>, last: u8) -> Option<ConnectionPlace> {
        let place = connections.admit(network(last))?;
        place
            .connection
            .served_by(tokio::spawn(std::future::pending::<()>()).abort_handle());
        Some(place)
    }

    #[tokio::test]
    async fn a_network_has_its_part_and_connections_in_use_stay() {
        let connections = Connections::new(8, Duration::from_secs(30));
        let busy: Vec<_> = [1, 1, 2, 2]
            .map(|last| served(&connections, last).unwrap())
            .into();
        let requests: Vec<_> = busy.iter().map(ConnectionPlace::begin).collect();
        assert!(
            served(&connections, 1).is_none(),
            "all of its part is in use"
        );
        let quiet: Vec<_> = [3, 3, 4, 4]
            .map(|last| served(&connections, last).unwrap())
            .into();
        drop(quiet.iter().map(ConnectionPlace::begin).collect::<Vec<_>>());
        // One that nobody needs goes for a newcomer.
        let newcomer = served(&connections, 5).unwrap();
        let _request = newcomer.begin();
        let open = connections.all.lock().open.len();
        assert_eq!(open, 8);
        let is_open = |place: &ConnectionPlace| connections.all.lock().open.contains_key(&place.id);
        assert!(busy.iter().all(is_open) && is_open(&newcomer));
        assert_eq!(quiet.iter().filter(|place| is_open(place)).count(), 3);
        drop((requests, quiet, busy));
        assert_eq!(connections.all.lock().open.len(), 1);
        assert_eq!(connections.all.lock().by_network.len(), 1);
    }

    #[tokio::test]
    async fn the_connection_with_most_requests_goes_when_there_are_too_many() {
        let connections = Connections::new(4, Duration::from_secs(30));
        let (many, few) = (
            served(&connections, 1).unwrap(),
            served(&connections, 2).unwrap(),
        );
        let _few = few.begin();
        let _many: Vec<_> = (0..8).map(|_| many.begin()).collect();
        let all = connections.all.lock();
        assert!(all.open.contains_key(&few.id) && !all.open.contains_key(&many.id));
    }

    #[tokio::test]
    async fn http2_has_its_part_and_what_is_in_use_stays() {
        let connections = Connections::new(8, Duration::from_secs(30));
        let speak = |last| {
            let place = served(&connections, last).unwrap();
            let request = place.begin();
            place.speaks_http2();
            place.speaks_http2();
            (place, request)
        };
        let is_open = |place: &ConnectionPlace| connections.all.lock().open.contains_key(&place.id);
        let (quiet, request) = speak(1);
        drop(request);
        let busy: Vec<_> = [2, 2, 3].map(speak).into();
        let one = served(&connections, 4).unwrap();
        assert!(is_open(&quiet));
        let (next, _request) = speak(5);
        assert!(
            !is_open(&quiet) && is_open(&next),
            "it goes for the next one"
        );
        let (other, _request) = speak(6);
        assert!(!is_open(&other), "all of HTTP/2 are in use");
        assert!(is_open(&one) && busy.iter().all(|(place, _)| is_open(place)));
        drop((busy, next));
        assert_eq!(connections.all.lock().http2, 0);
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_seen() {
        let connections = Connections::new(4, Duration::ZERO);
        let place = served(&connections, 1).unwrap();
        let connection = &place.connection;
        assert_eq!(connection.look(Duration::ZERO), Some("sent no request"));
        let _request = place.begin();
        assert_eq!(connection.look(Duration::ZERO), None);
        connection.unsent.store(1, Ordering::Relaxed);
        assert_eq!(
            connection.look(Duration::ZERO),
            None,
            "waited for from now on"
        );
        assert!(connection.look(Duration::ZERO).is_some());
        connection.delivered.store(1 << 20, Ordering::Relaxed);
        assert_eq!(connection.look(Duration::ZERO), None, "it went on");
        connection.unsent.store(0, Ordering::Relaxed);
        assert_eq!(connection.look(Duration::ZERO), None);
    }
}

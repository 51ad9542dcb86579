//! Connections, and how much of the machine they may take.
//!
//! Each brings one request and is then closed, so that what a connection can cost is known: the head in time, the request
//! in time, and the answer in time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::arguments::Limits;

/// Connections at once; more wait to be accepted.
const CONNECTIONS: usize = 256;
/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(10);
/// How long an answer may take to be taken.
const ANSWER: Duration = Duration::from_secs(30);
/// The longest head, in bytes.
const HEAD_BYTES: usize = 16 * 1024;

/// Serves until told to stop, and then finishes what is running. Told a second time, it stops at once.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: Limits, mut stop: Stop) {
    let head = HEAD.min(limits.timeout);
    let lifetime = head + limits.timeout + ANSWER;
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_header_size(HEAD_BYTES)
        .keep_alive(false);
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let (stream, slot) = tokio::select! {
            () = stop.wait() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // How a connection ends is the client's business.
            let _ = timeout(lifetime, connection).await;
            drop(slot);
        });
    }
    drop(listener);
    eprintln!("stopping; what is running is finished first");
    tokio::select! {
        () = graceful.shutdown() => {}
        () = sleep(lifetime) => {}
        () = stop.wait() => std::process::exit(1),
    }
}

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        let slot = slots.clone().acquire_owned().await;
        match (slot, listener.accept().await) {
            (Ok(slot), Ok((stream, _))) => return (stream, slot),
            // The client has gone, or the system has no more sockets for now.
            _ => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Ctrl-C, and where there is one, SIGTERM.
pub(crate) struct Stop {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
    #[cfg(not(unix))]
    ctrl_c: tokio::signal::windows::CtrlC,
}

impl Stop {
    #[cfg(unix)]
    pub(crate) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            signals: [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?],
        })
    }

    #[cfg(not(unix))]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            ctrl_c: tokio::signal::windows::ctrl_c()?,
        })
    }

    #[cfg(unix)]
    async fn wait(&mut self) {
        let [interrupt, terminate] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn wait(&mut self) {
        self.ctrl_c.recv().await;
    }
}

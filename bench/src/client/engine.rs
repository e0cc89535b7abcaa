//! Drives many connections from one thread with epoll: a thread for each would spend more on
//! waking up than on the requests.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;

use super::answer::Answer;
use super::connection::{Connection, State};
use super::request::Request;
use super::script::{Script, Steps};

/// How long nothing at all may happen.
const STALL: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};
/// How much is read at once.
const PER_READ: usize = 256 * 1024;
/// How many events are asked for at once.
const EVENTS: usize = 64;

/// What a run of scripts came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// From the first byte sent to the last received.
    pub(crate) took: Duration,
    /// The time of each request.
    pub(crate) times: Vec<Duration>,
    /// Bytes of bodies received.
    pub(crate) received: u64,
}

/// Runs every script on a connection of its own until all have ended.
///
/// # Errors
/// An answer is not the wanted one, a connection breaks, or nothing happens for a minute.
pub(crate) fn drive(address: SocketAddr, scripts: Vec<Box<dyn Script>>) -> Result<Tally> {
    let mut connections = scripts
        .into_iter()
        .map(|script| Connection::open(address, script))
        .collect::<Result<Vec<_>>>()?;
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    let begun = Instant::now();
    let mut open = 0;
    for (index, connection) in connections.iter_mut().enumerate() {
        let state = connection.advance()?;
        if state != State::Finished {
            epoll::add(
                &poll,
                &connection.socket,
                EventData::new_u64(index as u64),
                flags(state),
            )?;
            open += 1;
        }
    }
    turn(&poll, &mut connections, open)?;
    let mut tally = Tally {
        took: begun.elapsed(),
        ..Tally::default()
    };
    for connection in connections {
        tally.times.extend(connection.count.times);
        tally.received += connection.count.received;
    }
    Ok(tally)
}

/// One request on a connection of its own; its answer, which it must ask to keep.
///
/// # Errors
/// As for [`drive`].
pub(crate) fn ask(address: SocketAddr, request: Request) -> Result<Answer> {
    let kept = Arc::new(Mutex::new(Answer::default()));
    let slot = Arc::clone(&kept);
    let mut request = Some(request);
    let script = Steps::new(move |_, last| {
        let next = request.take();
        if next.is_none() {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = last.clone();
        }
        Ok(next)
    });
    drive(address, vec![Box::new(script)])?;
    let answer = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(answer)
}

/// The same as [`drive`] from several threads, for bodies that one thread cannot take in as fast as
/// the server gives them.
pub(crate) fn drive_in_threads(
    address: SocketAddr,
    scripts: Vec<Box<dyn Script>>,
    threads: usize,
) -> Result<Tally> {
    let mut shares: Vec<Vec<Box<dyn Script>>> = Vec::new();
    shares.resize_with(threads.max(1), Vec::new);
    for (share, script) in (0..shares.len()).cycle().zip(scripts) {
        shares.get_mut(share).context("a share")?.push(script);
    }
    let begun = Instant::now();
    let parts: Vec<Result<Tally>> = std::thread::scope(|scope| {
        let running: Vec<_> = shares
            .into_iter()
            .map(|share| scope.spawn(move || drive(address, share)))
            .collect();
        running
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| anyhow::bail!("a client thread died"))
            })
            .collect()
    });
    let mut whole = Tally {
        took: begun.elapsed(),
        ..Tally::default()
    };
    for part in parts {
        let part = part?;
        whole.times.extend(part.times);
        whole.received += part.received;
    }
    Ok(whole)
}

/// Waits for events and serves them until no connection is open.
fn turn(poll: &OwnedFd, connections: &mut [Connection], mut open: usize) -> Result<()> {
    let mut buffer = vec![0; PER_READ];
    let mut events = Vec::with_capacity(EVENTS);
    while open > 0 {
        events.clear();
        let arrived = match epoll::wait(
            poll,
            rustix::buffer::spare_capacity(&mut events),
            Some(&STALL),
        ) {
            Err(rustix::io::Errno::INTR) => continue,
            arrived => arrived?,
        };
        ensure!(arrived > 0, "nothing happened for {} s", STALL.tv_sec);
        for event in &events {
            let (data, ready) = (event.data, event.flags);
            let index = usize::try_from(data.u64())?;
            let connection = connections
                .get_mut(index)
                .context("an event of a connection")?;
            let state = serve(connection, ready, &mut buffer)?;
            if state == State::Finished {
                epoll::delete(poll, &connection.socket)?;
                open -= 1;
            } else if (state == State::WantsToWrite) != ready.contains(EventFlags::OUT) {
                epoll::modify(poll, &connection.socket, data, flags(state))?;
            }
        }
    }
    Ok(())
}

/// Does what the events of a connection ask for.
fn serve(connection: &mut Connection, ready: EventFlags, buffer: &mut [u8]) -> Result<State> {
    if ready.contains(EventFlags::OUT) && !ready.contains(EventFlags::IN) {
        return connection.write();
    }
    connection.read(buffer)
}

/// What to wait for in a state.
fn flags(state: State) -> EventFlags {
    match state {
        // An early answer, such as a refusal, must be seen too.
        State::WantsToWrite => EventFlags::IN | EventFlags::OUT,
        State::WantsToRead | State::Finished => EventFlags::IN,
    }
}

//! Hashes and checks of passwords, with Argon2id.
//!
//! A hash takes 19 MiB and some 40 ms of a core, so that few can be computed at a time: two, and only one of them for
//! callers from addresses where the person has never signed in. Attempts of strangers therefore exhaust neither memory
//! nor processors, and do not keep a person who is known from signing in.
//! Source: <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id>.

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::id::random_bytes;
use crate::problem::Problem;
use crate::store::StoreError;

const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How many hashes are computed at a time.
const AT_ONCE: usize = 2;
/// How many attempts of strangers may wait. They take a few seconds; a further one is refused.
const STRANGERS_MAX: usize = 64;

/// Computes hashes, few at a time. Clones share the limit.
#[derive(Clone)]
pub(crate) struct Passwords {
    cost: Params,
    all: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// Where an attempt comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A session, or an address from which the person has signed in.
    Known,
    /// Any other address.
    Stranger,
}

/// The result of comparing a password with a stored hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    Wrong,
    Right {
        /// The hash at today's cost, if the stored one has another.
        renewed: Option<String>,
    },
}

impl Default for Passwords {
    fn default() -> Self {
        Self::at(Params::new(MEMORY_KIB, PASSES, LANES, None).unwrap_or_default())
    }
}

impl Passwords {
    /// Hashes of this cost.
    pub(crate) fn at(cost: Params) -> Self {
        let permits = |number| Arc::new(Semaphore::new(number));
        Self {
            cost,
            all: permits(AT_ONCE),
            strangers: permits(AT_ONCE.saturating_sub(1)),
            waiting: permits(STRANGERS_MAX),
        }
    }

    /// The hash of a new password, in PHC string format.
    ///
    /// # Errors
    /// `503` if too many attempts wait.
    pub(crate) async fn hash(&self, password: String, from: Source) -> Result<String, Problem> {
        let argon2 = self.argon2();
        self.run(from, move || hash(&argon2, &password)).await
    }

    /// Compares a password with a stored hash. Without one, it takes as long and is wrong.
    ///
    /// # Errors
    /// `503` if too many attempts wait; `500` if the stored hash is damaged.
    pub(crate) async fn check(
        &self,
        password: String,
        stored: Option<String>,
        from: Source,
    ) -> Result<Checked, Problem> {
        let (argon2, cost) = (self.argon2(), self.cost.clone());
        let check = move || {
            let Some(stored) = stored else {
                hash(&argon2, &password)?;
                return Ok(Checked::Wrong);
            };
            let parsed = PasswordHash::new(&stored).map_err(|error| broken(&error))?;
            if argon2.verify_password(password.as_bytes(), &parsed).is_err() {
                return Ok(Checked::Wrong);
            }
            let is_of_today = Params::try_from(&parsed).is_ok_and(|of_stored| {
                let parts = |cost: &Params| (cost.m_cost(), cost.t_cost(), cost.p_cost());
                parts(&of_stored) == parts(&cost)
            });
            let renewed = (!is_of_today).then(|| hash(&argon2, &password)).transpose()?;
            Ok(Checked::Right { renewed })
        };
        self.run(from, check).await
    }

    fn argon2(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.cost.clone())
    }

    /// Runs a computation when it is its turn.
    async fn run<T, F>(&self, from: Source, compute: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, StoreError> + Send + 'static,
    {
        let mut turns = Vec::new();
        if from == Source::Stranger {
            let place = Arc::clone(&self.waiting).try_acquire_owned();
            turns.push(place.map_err(|_| Problem::server_busy())?);
            turns.push(turn(&self.strangers).await?);
        }
        turns.push(turn(&self.all).await?);
        // A computation goes on if its caller leaves, and so keeps its turn.
        let computed = tokio::task::spawn_blocking(move || {
            let computed = compute();
            drop(turns);
            computed
        });
        let computed = computed.await.map_err(|error| StoreError::internal(error.to_string()))?;
        Ok(computed?)
    }
}

async fn turn(permits: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, StoreError> {
    let turn = Arc::clone(permits).acquire_owned().await;
    turn.map_err(|error| StoreError::internal(error.to_string()))
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<String, StoreError> {
    let salt: [u8; 16] = random_bytes();
    let hashed = argon2.hash_password_with_salt(password.as_bytes(), &salt);
    hashed.map(|hash| hash.to_string()).map_err(|error| broken(&error))
}

fn broken(error: &impl fmt::Display) -> StoreError {
    StoreError::internal(format!("a password could not be hashed: {error}"))
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("cost", &self.cost).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes that take microseconds.
    fn cheap(passes: u32) -> Passwords {
        Passwords::at(Params::new(8, passes, 1, None).unwrap())
    }

    #[tokio::test]
    async fn a_password_is_right_wrong_or_hashed_again_at_todays_cost() {
        let (old, new) = (cheap(1), cheap(2));
        let stored = old.hash("correct horse".to_owned(), Source::Known).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
        let check = async |passwords: &Passwords, password: &str| {
            passwords.check(password.to_owned(), Some(stored.clone()), Source::Stranger).await.unwrap()
        };
        assert_eq!(check(&old, "correct horse").await, Checked::Right { renewed: None });
        assert_eq!(check(&old, "wrong horse").await, Checked::Wrong);
        let Checked::Right { renewed: Some(renewed) } = check(&new, "correct horse").await else { panic!() };
        assert!(renewed.starts_with("$argon2id$v=19$m=8,t=2,p=1$"), "{renewed}");
        assert_eq!(old.check("any".to_owned(), None, Source::Stranger).await, Ok(Checked::Wrong));
        let again = old.hash("correct horse".to_owned(), Source::Known).await.unwrap();
        assert_ne!(again, stored, "a salt is used once");
        assert!(!format!("{old:?}").contains("horse"));
    }

    #[test]
    fn the_cost_is_that_of_owasp() {
        let cost = Passwords::default().cost;
        assert_eq!((cost.m_cost(), cost.t_cost(), cost.p_cost()), (19_456, 2, 1));
    }

    #[tokio::test]
    async fn attempts_of_strangers_leave_a_turn_to_a_known_person() {
        let passwords = cheap(1);
        let held = turn(&passwords.strangers).await.unwrap();
        let stranger = || passwords.hash("a password".to_owned(), Source::Stranger);
        let mut waiting: Vec<_> = (0..STRANGERS_MAX).map(|_| Box::pin(stranger())).collect();
        for attempt in &mut waiting {
            assert!(futures_are_pending(attempt.as_mut()).await);
        }
        assert_eq!(stranger().await.unwrap_err(), Problem::server_busy());
        assert!(passwords.hash("a password".to_owned(), Source::Known).await.is_ok());
        drop(held);
        for attempt in waiting {
            assert!(attempt.await.is_ok());
        }
    }

    /// Whether a future waits after its first poll.
    async fn futures_are_pending<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
        std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_pending()))
            .await
    }
}

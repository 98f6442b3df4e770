//! Sealing of secrets that must be read again, such as a webhook's signing secret: the database alone does not
//! reveal them.
//!
//! # Wire form
//! `sealed:1:` and, in hex, a nonce of 24 bytes and the ciphertext with its tag (XChaCha20-Poly1305). The place
//! the secret belongs to (workspace, mode, table, row) is authenticated with it, so that it does not open
//! anywhere else.
//!
//! The master key is in the configuration, or in the file `master.key` next to the database, which is created
//! when it is first needed and readable by its owner alone. Several keys can be in force while the key is
//! rotated: the first seals, all open.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use super::error::{StoreError, StoreErrorKind};
use super::scope::Scope;
use crate::id::{hex, random_bytes};

const FILE_NAME: &str = "master.key";
const SEALED: &str = "sealed:1:";
const NONCE_BYTES: usize = 24;

type Key = [u8; 32];

/// The place a secret belongs to; the sealed secret opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) table: &'a str,
    pub(crate) row: &'a str,
}

impl Place<'_> {
    fn name(&self) -> String {
        let Self { scope, table, row } = self;
        [scope.workspace_id(), scope.mode_str(), table, row].join("\n")
    }
}

/// The keys that seal and open.
pub(crate) struct Vault {
    /// `None` if the keys are from the configuration.
    file: Option<PathBuf>,
    keys: RwLock<Vec<Key>>,
}

impl Vault {
    /// Keys from the file next to the database. There are none until a secret is sealed.
    pub(super) fn in_folder(data: &Path) -> Result<Self, StoreError> {
        let file = data.join(FILE_NAME);
        let keys = read(&file)?;
        Ok(Self { file: Some(file), keys: RwLock::new(keys) })
    }

    /// Keys from the configuration: 64 hex digits, or several keys separated by commas, the newest first.
    pub(super) fn from_config(text: &str) -> Result<Self, StoreError> {
        let keys = parse(text, ',').filter(|keys| !keys.is_empty()).ok_or_else(|| {
            let detail = "the master key must be 64 hex digits, or several keys separated by commas";
            StoreError::new(StoreErrorKind::Corrupt, detail)
        })?;
        Ok(Self { file: None, keys: RwLock::new(keys) })
    }

    fn cached(&self) -> Vec<Key> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_cached(&self, keys: Vec<Key>) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// Reads the key file again: another process may have rotated the keys.
    fn reload(&self) -> Result<Vec<Key>, StoreError> {
        if let Some(file) = &self.file {
            self.set_cached(read(file)?);
        }
        Ok(self.cached())
    }

    /// Seals a secret for its place, with the newest key. If the key file does not exist yet, it is created.
    pub(crate) fn seal(&self, place: Place<'_>, secret: &str) -> Result<String, StoreError> {
        let mut keys = self.reload()?;
        if let (Some(file), true) = (&self.file, keys.is_empty()) {
            keys = make(file)?;
            self.set_cached(keys.clone());
        }
        let key = keys.first().ok_or_else(|| StoreError::internal("there is no master key"))?;
        let nonce: [u8; NONCE_BYTES] = random_bytes();
        let name = place.name();
        let payload = Payload { msg: secret.as_bytes(), aad: name.as_bytes() };
        let sealed = XChaCha20Poly1305::new(key.into()).encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| StoreError::internal("a secret could not be sealed"))?;
        Ok(format!("{SEALED}{}{}", hex(&nonce), hex(&sealed)))
    }

    /// Opens a secret that was sealed for this place. A text that an older version stored unsealed is returned
    /// unchanged.
    ///
    /// # Errors
    /// [`StoreErrorKind::Corrupt`] if no key opens it, or it was sealed for another place.
    pub(crate) fn open(&self, place: Place<'_>, text: &str) -> Result<String, StoreError> {
        let Some(sealed) = text.strip_prefix(SEALED) else { return Ok(text.to_owned()) };
        let sealed = unhex(sealed).unwrap_or_default();
        let opened = unseal(&self.cached(), place, &sealed);
        if let Some(secret) = opened {
            return Ok(secret);
        }
        unseal(&self.reload()?, place, &sealed).ok_or_else(|| self.does_not_open(place))
    }

    /// The error for a secret that no key opens; its message says what to do.
    fn does_not_open(&self, place: Place<'_>) -> StoreError {
        let secret = format!("a secret of {} {}", place.table, place.row);
        let detail = match &self.file {
            Some(file) if !file.exists() => format!(
                "{} is missing: restore the copy that was stored with the backup (mode 0600), or give the master key in TRAC_MASTER_KEY. Without \
                 it {secret} does not open",
                file.display()
            ),
            Some(file) => format!(
                "{secret} does not open with the master key in {}: it was sealed with another one, or for another place. Put the key that \
                 sealed it into the file",
                file.display()
            ),
            None => format!(
                "{secret} does not open with the master key in TRAC_MASTER_KEY: it was sealed with another one, or for another place. \
                 Give the key that sealed it"
            ),
        };
        StoreError::new(StoreErrorKind::Corrupt, detail)
    }

    /// Whether a text is sealed.
    pub(crate) fn is_sealed(text: &str) -> bool {
        text.starts_with(SEALED)
    }

    /// Puts a new key in front of the others in the key file. Keys from the configuration are not changed:
    /// their order there decides.
    pub(crate) fn begin_rotation(&self) -> Result<(), StoreError> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut keys = vec![random_bytes()];
        keys.extend(read(file)?);
        replace(file, &keys)?;
        self.set_cached(keys);
        Ok(())
    }

    /// Removes all keys but the newest from the key file, once every secret is sealed with it.
    pub(crate) fn end_rotation(&self) -> Result<(), StoreError> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut keys = read(file)?;
        keys.truncate(1);
        replace(file, &keys)?;
        self.set_cached(keys);
        Ok(())
    }
}

fn unseal(keys: &[Key], place: Place<'_>, sealed: &[u8]) -> Option<String> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let name = place.name();
    let open = |key: &Key| {
        let payload = Payload { msg: ciphertext, aad: name.as_bytes() };
        XChaCha20Poly1305::new(key.into()).decrypt(&XNonce::from(*nonce), payload).ok()
    };
    String::from_utf8(keys.iter().find_map(open)?).ok()
}

fn parse(text: &str, between: char) -> Option<Vec<Key>> {
    let keys = text.split(between).map(str::trim).filter(|key| !key.is_empty());
    keys.map(|key| unhex(key)?.try_into().ok()).collect()
}

/// The bytes of hex digits.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| digit(*high)?.checked_mul(16)?.checked_add(digit(*low)?)).collect()
}

fn cannot(file: &Path, error: &io::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, format!("{}: {error}", file.display()))
}

/// The keys of the file, one per line, the newest first; an empty list if there is no file.
fn read(file: &Path) -> Result<Vec<Key>, StoreError> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot(file, &error)),
    };
    parse(&text, '\n').ok_or_else(|| {
        let detail = format!("{}: must contain master keys of 64 hex digits, one per line", file.display());
        StoreError::new(StoreErrorKind::Corrupt, detail)
    })
}

/// Creates the file with a first key. If another process created it at the same time, its key is used.
fn make(file: &Path) -> Result<Vec<Key>, StoreError> {
    let draft = write_draft(file, &[random_bytes()])?;
    let linked = fs::hard_link(&draft, file);
    let _ = fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(cannot(file, &error)),
        _ => read(file),
    }
}

fn replace(file: &Path, keys: &[Key]) -> Result<(), StoreError> {
    let draft = write_draft(file, keys)?;
    fs::rename(&draft, file).map_err(|error| cannot(file, &error))
}

/// Writes keys to a temporary file and synchronizes it, before it replaces the key file.
fn write_draft(file: &Path, keys: &[Key]) -> Result<PathBuf, StoreError> {
    let draft = file.with_extension(format!("key.{}", hex(&random_bytes::<8>())));
    let lines = keys.iter().fold(String::new(), |text, key| format!("{text}{}\n", hex(key)));
    let write = || -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut written = options.open(&draft)?;
        written.write_all(lines.as_bytes())?;
        written.sync_all()
    };
    write().map_err(|error| cannot(&draft, &error))?;
    Ok(draft)
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("file", &self.file).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use trac_core::program::Mode;

    use super::*;

    fn place<'a>(scope: &'a Scope, row: &'a str) -> Place<'a> {
        Place { scope, table: "webhook_endpoint", row }
    }

    #[test]
    fn a_secret_opens_in_its_own_place_only() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::in_folder(folder.path()).unwrap();
        let (ours, theirs) = (Scope::new("ws_1", Mode::Test), Scope::new("ws_2", Mode::Test));
        let sealed = vault.seal(place(&ours, "we_1"), "whsec_1").unwrap();
        assert!(Vault::is_sealed(&sealed) && !sealed.contains("whsec"));
        assert_eq!(vault.open(place(&ours, "we_1"), &sealed).unwrap(), "whsec_1");
        assert!(vault.open(place(&ours, "we_2"), &sealed).is_err());
        assert!(vault.open(place(&theirs, "we_1"), &sealed).is_err());
        assert!(vault.open(place(&Scope::new("ws_1", Mode::Live), "we_1"), &sealed).is_err());
        assert_ne!(vault.seal(place(&ours, "we_1"), "whsec_1").unwrap(), sealed, "a nonce is used once");
        for broken in ["sealed:1:", "sealed:1:zz", "sealed:1:00"] {
            assert!(vault.open(place(&ours, "we_1"), broken).is_err(), "{broken}");
        }
        assert_eq!(vault.open(place(&ours, "we_1"), "whsec_plain").unwrap(), "whsec_plain");
    }

    #[cfg(unix)]
    #[test]
    fn the_key_file_is_created_for_its_owner_alone_and_reused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let scope = Scope::new("ws_1", Mode::Test);
        let sealed = Vault::in_folder(folder.path()).unwrap().seal(place(&scope, "we_1"), "whsec_1").unwrap();
        let file = folder.path().join(FILE_NAME);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Vault::in_folder(folder.path()).unwrap();
        assert_eq!(again.open(place(&scope, "we_1"), &sealed).unwrap(), "whsec_1");
        // A missing key and a wrong key have different messages.
        let key = fs::read(&file).unwrap();
        let error = || {
            let vault = Vault::in_folder(folder.path()).unwrap();
            vault.open(place(&scope, "we_1"), &sealed).unwrap_err().to_string()
        };
        fs::remove_file(&file).unwrap();
        let missing = format!(
            "{} is missing: restore the copy that was stored with the backup (mode 0600)",
            file.display()
        );
        assert!(error().starts_with(&missing), "{}", error());
        fs::write(&file, "22".repeat(32)).unwrap();
        let wrong = format!("does not open with the master key in {}", file.display());
        assert!(error().contains(&wrong) && !error().contains("missing"), "{}", error());
        fs::write(&file, key).unwrap();
        assert_eq!(again.open(place(&scope, "we_1"), &sealed).unwrap(), "whsec_1");
        fs::write(&file, "nonsense\n").unwrap();
        assert!(Vault::in_folder(folder.path()).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn keys_that_another_process_rotates_are_reloaded() {
        let folder = tempfile::tempdir().unwrap();
        let scope = Scope::new("ws_1", Mode::Test);
        let here = Vault::in_folder(folder.path()).unwrap();
        let old = here.seal(place(&scope, "we_1"), "whsec_1").unwrap();
        let there = Vault::in_folder(folder.path()).unwrap();
        there.begin_rotation().unwrap();
        let new = here.seal(place(&scope, "we_1"), "whsec_1").unwrap();
        assert_eq!(there.open(place(&scope, "we_1"), &old).unwrap(), "whsec_1");
        there.end_rotation().unwrap();
        let later = Vault::in_folder(folder.path()).unwrap();
        assert!(later.open(place(&scope, "we_1"), &old).is_err());
        assert_eq!(later.open(place(&scope, "we_1"), &new).unwrap(), "whsec_1");
    }

    #[test]
    fn configured_keys_are_parsed_or_rejected() {
        let (one, two) = ("11".repeat(32), "22".repeat(32));
        let scope = Scope::new("ws_1", Mode::Live);
        let sealed = Vault::from_config(&one).unwrap().seal(place(&scope, "we_1"), "s").unwrap();
        let both = Vault::from_config(&format!("{two},{one}")).unwrap();
        assert_eq!(both.open(place(&scope, "we_1"), &sealed).unwrap(), "s");
        assert!(Vault::from_config(&two).unwrap().open(place(&scope, "we_1"), &sealed).is_err());
        for wrong in ["", ",", "11", &"zz".repeat(32), &"11".repeat(33)] {
            assert!(Vault::from_config(wrong).is_err(), "{wrong}");
        }
    }
}

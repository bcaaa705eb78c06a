//! The signatures of JSON Web Tokens, checked with ring: the one cryptography of the whole system.
//!
//! `jsonwebtoken` reads tokens and checks their claims, and leaves the cryptography to whoever it is given. Only what an identity provider
//! signs with a key that is its own is known here: with the HMAC algorithms whoever can check a token can make one, and `none` is none.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature as ring_signature;

/// The algorithms that are accepted.
pub(super) const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

static RING: CryptoProvider = CryptoProvider {
    // Nothing is signed here.
    signer_factory: |_, _| Err(Error::from(ErrorKind::UnsupportedAlgorithm)),
    verifier_factory: |algorithm, key| Ok(Box::new(Ring::new(*algorithm, key)?)),
    // Asked for by what makes keys, which is never called.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes ring the cryptography of tokens in this process. Later calls do nothing.
pub(super) fn install() {
    let _ = RING.install_default();
}

/// Checks signatures of one algorithm and key.
struct Ring {
    algorithm: Algorithm,
    key: Key,
}

enum Key {
    Rsa(&'static ring_signature::RsaParameters, Vec<u8>, Vec<u8>),
    Other(&'static dyn ring_signature::VerificationAlgorithm, Vec<u8>),
}

impl Ring {
    fn new(algorithm: Algorithm, key: &DecodingKey) -> Result<Self, Error> {
        let wrong = || Error::from(ErrorKind::InvalidKeyFormat);
        let rsa = |parameters| match key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => Ok(Key::Rsa(parameters, n.clone(), e.clone())),
            DecodingKeyKind::SecretOrDer(_) => Err(wrong()),
        };
        let other = |with: &'static dyn ring_signature::VerificationAlgorithm| {
            key.try_get_as_bytes().map(|bytes| Key::Other(with, bytes.to_vec()))
        };
        if key.family() != algorithm.family() {
            return Err(wrong());
        }
        let key = match algorithm {
            Algorithm::RS256 => rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA256)?,
            Algorithm::RS384 => rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA384)?,
            Algorithm::RS512 => rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA512)?,
            Algorithm::PS256 => rsa(&ring_signature::RSA_PSS_2048_8192_SHA256)?,
            Algorithm::PS384 => rsa(&ring_signature::RSA_PSS_2048_8192_SHA384)?,
            Algorithm::PS512 => rsa(&ring_signature::RSA_PSS_2048_8192_SHA512)?,
            Algorithm::ES256 => other(&ring_signature::ECDSA_P256_SHA256_FIXED)?,
            Algorithm::ES384 => other(&ring_signature::ECDSA_P384_SHA384_FIXED)?,
            Algorithm::EdDSA => other(&ring_signature::ED25519)?,
            _ => return Err(Error::from(ErrorKind::UnsupportedAlgorithm)),
        };
        Ok(Self { algorithm, key })
    }
}

impl Verifier<Vec<u8>> for Ring {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let verified = match &self.key {
            Key::Rsa(parameters, n, e) => {
                ring_signature::RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            Key::Other(with, key) => ring_signature::UnparsedPublicKey::new(*with, key).verify(message, signature),
        };
        verified.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Ring {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

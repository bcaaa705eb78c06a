//! Archive matches to the archive.

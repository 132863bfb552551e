//! Packing and unpacking the parts of a frame, with working memory that is used again.

use super::{BadFrame, CODEC_AS_IS, CODEC_ZSTD, PART_RAW_BYTES_MAX, Part, ZSTD_LEVEL};

/// Packs parts; holds the compressor's working memory so that packing does not allocate it anew.
pub struct Packer {
    zstd: zstd::bulk::Compressor<'static>,
    raw: Vec<u8>,
}

impl Packer {
    /// A packer with fresh working memory (about 1 MiB).
    ///
    /// # Errors
    /// The compressor could not get its memory.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Compressor::new(ZSTD_LEVEL)?, raw: Vec::new() })
    }

    /// Packs records given as runs of (lengths in bytes, bytes end to end); kept as they are when packing does not make them
    /// smaller.
    ///
    /// # Errors
    /// [`BadFrame::Value`] when the runs are more than a part may hold or the lengths do not add up to the bytes.
    pub fn pack<'a>(&mut self, runs: impl Iterator<Item = (&'a [u16], &'a [u8])> + Clone) -> Result<Part, BadFrame> {
        self.raw.clear();
        let (mut records, mut by_lengths) = (0_usize, 0_usize);
        for (lengths, _) in runs.clone() {
            records += lengths.len();
            for length in lengths {
                by_lengths += usize::from(*length);
                self.raw.extend_from_slice(&length.to_le_bytes());
            }
        }
        for (_, bytes) in runs {
            self.raw.extend_from_slice(bytes);
        }
        if self.raw.len() != records * 2 + by_lengths || self.raw.len() > PART_RAW_BYTES_MAX {
            return Err(BadFrame::Value { field: "a raw length", value: self.raw.len() as u64 });
        }
        let packed = self.zstd.compress(&self.raw).ok().filter(|packed| packed.len() < self.raw.len());
        let (codec, packed) = packed.map_or_else(|| (CODEC_AS_IS, self.raw.clone()), |packed| (CODEC_ZSTD, packed));
        Ok(Part { codec, records: records as u32, raw_len: self.raw.len() as u32, packed: packed.into() })
    }
}

/// Unpacks parts; holds the decompressor's working memory.
pub struct Unpacker {
    zstd: zstd::bulk::Decompressor<'static>,
    raw: Vec<u8>,
}

impl Unpacker {
    /// An unpacker with fresh working memory.
    ///
    /// # Errors
    /// The decompressor could not get its memory.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Decompressor::new()?, raw: Vec::new() })
    }

    /// The records of a part, in order, each as the bytes its operator sent. They live until the next call.
    ///
    /// # Errors
    /// [`BadFrame::Unpack`] when the packed bytes are damaged.
    pub fn unpack(&mut self, part: &Part) -> Result<Records<'_>, BadFrame> {
        self.raw.clear();
        if part.codec == CODEC_ZSTD {
            self.raw.reserve(part.raw_len());
            self.zstd
                .decompress_to_buffer(&part.packed, &mut self.raw)
                .map_err(|_| BadFrame::Unpack("the compressed bytes are damaged"))?;
        } else {
            self.raw.extend_from_slice(&part.packed);
        }
        if self.raw.len() != part.raw_len() {
            return Err(BadFrame::Unpack("the raw length differs"));
        }
        let table = (part.records as usize) * 2;
        let (lengths, bytes) = self.raw.split_at_checked(table).ok_or(BadFrame::Unpack("the table is cut short"))?;
        let total: usize = lengths.as_chunks::<2>().0.iter().map(|two| usize::from(u16::from_le_bytes(*two))).sum();
        if total != bytes.len() {
            return Err(BadFrame::Unpack("the lengths do not add up"));
        }
        Ok(Records { lengths: lengths.as_chunks::<2>().0.iter(), bytes })
    }
}

/// The records of one unpacked part, in order.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    lengths: std::slice::Iter<'a, [u8; 2]>,
    bytes: &'a [u8],
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(u16::from_le_bytes(*self.lengths.next()?));
        let (record, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(record)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.lengths.size_hint()
    }
}

impl ExactSizeIterator for Records<'_> {}

/** EBCDIC code page 500, which operator messages and system names are written in. */

/** Latin-1 characters of X'40' to X'FE' where code page 500 has a graphic character, in its order. */
const rows: Readonly<Record<number, string>> = {
  64: '\u0020\u00a0âäàáãåçñ[.<(+!',
  80: '&éêëèíîïìß]$*);^',
  96: '-/ÂÄÀÁÃÅÇÑ¦,%_>?',
  112: 'øÉÊËÈÍÎÏÌ`:#@\'="',
  128: 'Øabcdefghi«»ðýþ±',
  144: '°jklmnopqrªºæ¸Æ¤',
  160: 'µ~stuvwxyz¡¿ÐÝÞ®',
  176: '¢£¥·©§¶¼½¾¬|¯¨´×',
  192: '{ABCDEFGHI\u00adôöòóõ',
  208: '}JKLMNOPQR¹ûüùúÿ',
  224: '\\÷STUVWXYZ²ÔÖÒÓÕ',
  240: '0123456789³ÛÜÙÚ\u009f',
};
/** Control characters that have a counterpart, EBCDIC to Latin-1. */
const controls: Readonly<Record<number, number>> = {
  5: 0x09,
  11: 0x0b,
  12: 0x0c,
  13: 0x0d,
  21: 0x0a,
  22: 0x08,
  37: 0x0a,
  39: 0x1b,
  47: 0x07,
};

const toLatin1 = new Uint8Array(256).fill(0x2e);
const fromLatin1 = new Uint8Array(256).fill(0x6f);
for (const [first, text] of Object.entries(rows)) {
  [...text].forEach((character, n) => {
    const latin1 = character.charCodeAt(0);
    toLatin1[Number(first) + n] = latin1;
    fromLatin1[latin1] = Number(first) + n;
  });
}
for (const [ebcdic, latin1] of Object.entries(controls)) {
  toLatin1[Number(ebcdic)] = latin1;
  fromLatin1[latin1] = Number(ebcdic);
}
toLatin1[0] = 0;
fromLatin1[0] = 0;

/** EBCDIC bytes as Latin-1 bytes; what has no counterpart becomes a full stop. */
export const fromEbcdic = (data: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(data, byte => toLatin1[byte]!);

/** Latin-1 bytes as EBCDIC bytes; what has no counterpart becomes a question mark. */
export const toEbcdic = (data: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(data, byte => fromLatin1[byte]!);

/** Text in EBCDIC, cut or padded with blanks to `length` bytes. */
export const ebcdicText = (text: string, length: number): Uint8Array<ArrayBuffer> =>
  toEbcdic(new TextEncoder().encode(text.padEnd(length).slice(0, length)));

/** Text that passes for a private key until it is used. */
export const keyLike = (text: string) =>
  `-----BEGIN OPENSSH PRIVATE KEY-----\n${text}\n-----END OPENSSH PRIVATE KEY-----\n`;

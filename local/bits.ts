/** A set of whole numbers from 0 on, a bit for each. */
export class Bits {
  private bytes = new Uint8Array(1 << 10);
  private members = 0;

  /** How many numbers are in it. */
  get count(): number {
    return this.members;
  }

  set(number: number): void {
    const at = number >> 3;
    if (at >= this.bytes.length) {
      const more = new Uint8Array(Math.max(at + 1, 2 * this.bytes.length));
      more.set(this.bytes);
      this.bytes = more;
    }
    if (!this.has(number)) this.members += 1;
    this.bytes[at] = (this.bytes[at] ?? 0) | (1 << (number & 7));
  }

  has(number: number): boolean {
    return (((this.bytes[number >> 3] ?? 0) >> (number & 7)) & 1) === 1;
  }
}

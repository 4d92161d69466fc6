import htm from "htm";
import { h } from "preact";

/** Markup as tagged templates. Text in it is text: nothing that comes from outside becomes markup. */
export const html = htm.bind(h);

import { render } from "preact";
import { App } from "./app.js";
import { html } from "./html.js";
import { connect } from "./store.js";

connect();
render(html`<${App} />`, document.getElementById("app"));

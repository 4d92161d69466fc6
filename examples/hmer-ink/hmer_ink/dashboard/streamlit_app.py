"""The dashboard where streamlit is installed: streamlit run hmer_ink/dashboard/streamlit_app.py -- OUTPUTS."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import streamlit as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hmer_ink.dashboard.state import experiment, names

REFRESH_SECONDS = 5


def show(outputs: Path) -> None:
    """Draw the page once."""
    st.set_page_config(page_title="HMER-Ink", layout="wide")
    known = names(outputs)
    if not known:
        st.info("No experiments yet: they appear here once `make train` has begun one.")
        return
    state = experiment(outputs, st.sidebar.selectbox("Experiment", known))
    if state is None:
        return
    st.title(state["name"])
    st.caption(f"{state['status']}, last line {state['quiet_seconds']} s ago")
    history = state["history"]
    if history:
        left, right = st.columns(2)
        left.line_chart({key: [entry[key] for entry in history] for key in ("train_loss", "valid_loss")})
        scores = ("valid_token_error_rate", "valid_expression_accuracy")
        right.line_chart({key: [entry[key] for entry in history] for key in scores})
    if state["evaluation"]:
        st.json(state["evaluation"])
    st.code("\n".join(state["log"]) or "(no log yet)", language=None)


show(Path(sys.argv[1] if len(sys.argv) > 1 else "outputs"))
time.sleep(REFRESH_SECONDS)
st.rerun()

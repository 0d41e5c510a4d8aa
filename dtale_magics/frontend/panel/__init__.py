"""The panel: what it knows and says, the widget, its clicks, and its static form."""

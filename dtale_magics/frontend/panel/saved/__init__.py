"""The frame where no widget lives: in exports, saved notebooks, and programs that run them."""

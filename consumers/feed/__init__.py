"""The live feed: events pushed to browsers and programs as they are appended."""

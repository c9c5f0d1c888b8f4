"""Long work that is asked for by the API: kept, done by one worker at a time, watched, cancelled."""

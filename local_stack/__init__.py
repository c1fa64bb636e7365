"""The whole system in one process for a laptop: AWS stand-in, mock upstream, service, schedules."""

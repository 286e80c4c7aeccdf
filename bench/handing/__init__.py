"""Copies of a bot that change places while events come: source, bot, orchestrators, judge."""

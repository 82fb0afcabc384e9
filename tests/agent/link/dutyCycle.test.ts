import { DutyCycle, LONGEST_REST_MS } from '../../../browser_agent/src/link/dutyCycle';

describe('DutyCycle', () => {
  it('never rests with all of the time', () => {
    const duty = new DutyCycle();
    duty.worked(1000, 5000);
    expect(duty.isResting(5000)).toBe(false);
  });

  it('rests three times as long as it worked with a quarter of the time', () => {
    const duty = new DutyCycle();
    duty.share = 0.25;
    duty.worked(100, 1000);
    expect(duty.isResting(1299)).toBe(true);
    expect(duty.isResting(1300)).toBe(false);
  });

  it('bounds a rest, and what it is told', () => {
    const duty = new DutyCycle();
    duty.share = 0;
    duty.worked(60_000, 0);
    expect(duty.isResting(LONGEST_REST_MS - 1)).toBe(true);
    expect(duty.isResting(LONGEST_REST_MS)).toBe(false);
    duty.share = Number.NaN;
    duty.worked(60_000, 0);
    expect(duty.isResting(0)).toBe(false);
  });

  it('ends a rest when it is given all of the time', () => {
    const duty = new DutyCycle();
    duty.share = 0.5;
    duty.worked(1000, 0);
    duty.share = 1;
    expect(duty.isResting(1)).toBe(false);
  });
});

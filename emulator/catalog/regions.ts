/** A region, as the API shows it. */
export interface Region {
  readonly name: string;
  readonly description: string;
}

const descriptions: Record<string, string> = {
  "us-east-1": "Virginia, USA",
  "us-east-2": "Washington DC, USA",
  "us-east-3": "Washington DC, USA",
  "us-midwest-1": "Illinois, USA",
  "us-midwest-2": "Ohio, USA",
  "us-south-1": "Texas, USA",
  "us-south-2": "North Texas, USA",
  "us-south-3": "Central Texas, USA",
  "us-southeast-1": "Georgia, USA",
  "us-west-1": "California, USA",
  "us-west-2": "Arizona, USA",
  "us-west-3": "Utah, USA",
  "asia-northeast-1": "Osaka, Japan",
  "asia-northeast-2": "Tokyo, Japan",
  "asia-south-1": "India",
  "australia-east-1": "Sydney, Australia",
  "europe-central-1": "Germany",
  "europe-south-1": "Italy",
  "me-west-1": "Israel",
};

/** Lambda's regions as of 2026. */
export const regions: readonly Region[] = Object.entries(descriptions).map(([name, description]) => ({
  name,
  description,
}));

export const findRegion = (name: string): Region | undefined => regions.find((region) => region.name === name);
